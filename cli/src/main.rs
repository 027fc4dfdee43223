//! `dunlin`: the AWS IoT custom-authorizer sample, and a tool to debug MQTT 5 connections.

mod args;
mod auth;
mod bench;
mod capture;
mod client_run;
mod config;
mod connect;
mod decision;
mod demo;
mod diagnosis;
mod doctor;
mod exit;
mod explain;
mod failure;
mod inspect;
mod log;
mod manual;
mod message;
mod nagle;
mod payload;
#[cfg(test)]
mod printed;
mod process_group;
mod profile;
mod program;
mod publish;
mod request;
mod respond;
mod rs256;
mod runtime;
mod sample;
mod sandbox;
mod signal;
mod subscribe;
mod terminal;
mod verb;
mod wrap;

use std::ffi::OsString;
use std::process::ExitCode;

fn main() -> ExitCode {
    let line: Vec<OsString> = std::env::args_os().collect();
    match args::parse(line.iter().cloned()) {
        Ok(typed) => verb::run(typed, &line).into(),
        Err(error) => args::answer(&error, line).into(),
    }
}
