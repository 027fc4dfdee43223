//! `dunlin`: the AWS IoT custom-authorizer sample, and a tool to debug MQTT 5 connections.

mod args;
mod auth;
mod bench;
mod config;
mod decision;
mod demo;
mod diagnosis;
mod exit;
mod explain;
mod failure;
mod inspect;
mod log;
mod manual;
#[cfg(test)]
mod printed;
mod rs256;
mod runtime;
mod sample;
mod sandbox;
mod signal;
mod terminal;
mod verb;
mod wrap;

use std::process::ExitCode;

fn main() -> ExitCode {
    match args::parse(std::env::args_os()) {
        Ok(typed) => verb::run(typed).into(),
        Err(error) => args::answer(&error, std::env::args_os()).into(),
    }
}
