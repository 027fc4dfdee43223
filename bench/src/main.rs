//! Dunlin and its peers side by side: `cargo run --release --manifest-path bench/Cargo.toml --
//! codec`, or `-- client`.

mod allocations;
mod client;
mod codec;
mod hot_paths;
mod instructions;
mod matcher;
mod store;
mod timing;

use std::env;
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["codec"] => print!("{}", codec::measure()),
        ["codec", "--json"] => println!("{}", codec::measure().to_json()),
        // What `measure` starts under callgrind.
        ["codec", instructions::CHILD] => codec::run_each_once(),
        ["instructions"] => return hot_paths::check(false),
        ["instructions", "--renew"] => return hot_paths::check(true),
        ["instructions", instructions::CHILD] => hot_paths::run_each_once(),
        ["matcher"] => print!("{}", matcher::measure()),
        ["store"] => return measure_store(&env::temp_dir()),
        ["store", folder] => return measure_store(folder.as_ref()),
        ["client", ref rest @ ..] => return client::main(rest),
        _ => return usage(),
    }
    ExitCode::SUCCESS
}

fn measure_store(folder: &Path) -> ExitCode {
    match store::measure(folder) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn usage() -> ExitCode {
    eprintln!(
        "usage: dunlin-bench codec [--json] | client [--json] [--tls] [--only TEXT] [--beside PROGRAM].. | matcher | store [FOLDER] | instructions [--renew]"
    );
    ExitCode::FAILURE
}
