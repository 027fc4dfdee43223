//! Dunlin and its peers side by side: `cargo run --release --manifest-path bench/Cargo.toml -- codec`.

mod allocations;
mod codec;
mod instructions;
mod timing;

use std::env;
use std::process::ExitCode;

const USAGE: &str = "usage: dunlin-bench codec [--json]";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["codec"] => print!("{}", codec::measure()),
        ["codec", "--json"] => println!("{}", codec::measure().to_json()),
        // What `measure` starts under callgrind.
        ["codec", instructions::CHILD] => codec::run_each_once(),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
