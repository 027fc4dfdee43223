//! Processes of handlers: when they start, and what ends them.

use std::fs;
use std::time::Duration;

use dunlin_tests::{Finished, Program};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::ChildStdout;
use tokio::time::{sleep, timeout};

use crate::warm::PYTHON;
use crate::{Process, wait_until_gone, write};

/// A handler that is slow to load, as one with large libraries is: no more of them load at a time
/// than there are processors, so that none is too late.
#[tokio::test]
async fn handlers_that_are_slow_to_load_do_not_slow_each_other_down() {
    if !Program::Python.is_installed() {
        return;
    }
    let dir = TempDir::new().unwrap();
    // Each says when it begins to load and when it is done.
    let loading = "import time\nprint('begins')\ntime.sleep(0.3)\nprint('done')\n";
    let file = write(&dir, "handler.py", &format!("{loading}{PYTHON}"));
    let process = Process::start_in(dir, &["--lambda", &file]).await;
    let clients: Vec<_> = (0..6)
        .map(|_| process.sample("Lambda", "device", "x").spawn())
        .collect();
    for client in clients {
        Finished::wait_for(client).await.exits(0);
    }
    let log = process.stop().await.stdout;
    let (mut loading, mut most) = (0, 0);
    for line in log.lines() {
        if line.ends_with("lambda    Lambda  begins") {
            loading += 1;
            most = most.max(loading);
        } else if line.ends_with("lambda    Lambda  done") {
            loading -= 1;
        }
    }
    let processors = std::thread::available_parallelism().unwrap().get();
    assert!(
        (1..=processors).contains(&most) && loading == 0,
        "{most} at a time\n{log}"
    );
}

#[tokio::test]
async fn no_process_of_a_handler_stays_after_sigkill() {
    if !Program::Python.is_installed() {
        return;
    }
    let dir = TempDir::new().unwrap();
    let starts = "import subprocess\nCHILD = subprocess.Popen(['sleep', '600'])\n";
    let code = PYTHON.replace(
        "call {calls}",
        "pids {os.getpid()} {CHILD.pid} call {calls}",
    );
    let file = write(&dir, "handler.py", &format!("{starts}{code}"));
    let mut process = Process::start_in(dir, &["--lambda", &file]).await;
    process.sample("Lambda", "device", "x").run().await.exits(0);
    process.child.start_kill().unwrap();
    let log = Finished::wait_for(process.child).await.stdout;
    let pids = log.split_once("pids ").unwrap().1.split(' ').take(2);
    for pid in pids {
        wait_until_gone(pid).await;
    }
}

#[tokio::test]
async fn processes_that_a_handler_started_end_with_its_process() {
    if !Program::Python.is_installed() {
        return;
    }
    let dir = TempDir::new().unwrap();
    let start = "import os, subprocess\ndef lambda_handler(event, context):\n    \
                 child = subprocess.Popen(['sleep', '600'], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)\n    \
                 print(f'pids {os.getpid()} {child.pid} ', flush=True)\n    os._exit(3)\n";
    let file = write(&dir, "handler.py", start);
    let process = Process::start_in(dir, &["--lambda", &file]).await;
    process.sample("Lambda", "device", "x").run().await.exits(5);
    let log = process.stop().await.stdout;
    assert!(
        log.contains("failed: its program ended with exit status: 3)"),
        "{log}"
    );
    for pid in log.split_once("pids ").unwrap().1.split(' ').take(2) {
        wait_until_gone(pid).await;
    }
}

#[tokio::test]
async fn a_handler_that_closes_or_replaces_standard_output_is_answered_for() {
    if !Program::Python.is_installed() {
        return;
    }
    for change in [
        "sys.stdout.close()",
        "sys.stdout = io.StringIO()",
        "os.close(1)",
    ] {
        let dir = TempDir::new().unwrap();
        let wrapped = format!(
            "import io, os, sys\n{PYTHON}\nallow = lambda_handler\n\
             def lambda_handler(event, context):\n    \
             answer = allow(event, context)\n    {change}\n    return answer\n"
        );
        let file = write(&dir, "handler.py", &wrapped);
        let process = Process::start_in(dir, &["--lambda", &file]).await;
        process.sample("Lambda", "device", "x").run().await.exits(0);
        process.stop().await;
    }
}

#[tokio::test]
async fn a_handler_crash_is_reported_at_once_although_its_output_is_still_open() {
    if !Program::Python.is_installed() {
        return;
    }
    let dir = TempDir::new().unwrap();
    let start = "import os, subprocess\ndef lambda_handler(event, context):\n    \
                 child = subprocess.Popen(['sleep', '600'])\n    \
                 print(f'pid {child.pid} ', flush=True)\n    os._exit(3)\n";
    let file = write(&dir, "handler.py", start);
    let process = Process::start_in(dir, &["--lambda", &file]).await;
    process.sample("Lambda", "device", "x").run().await.exits(5);
    let log = process.stop().await.stdout;
    assert!(
        log.contains("failed: its program ended with exit status: 3)"),
        "{log}"
    );
    wait_until_gone(log.split_once("pid ").unwrap().1.split(' ').next().unwrap()).await;
}

#[tokio::test]
async fn a_changed_file_starts_new_processes_and_is_logged() {
    if !Program::Python.is_installed() {
        return;
    }
    let dir = TempDir::new().unwrap();
    let code = |text: &str| {
        format!(
            "TEXT = '{text}'\n{}",
            PYTHON.replace("call {calls}", "call {calls}, {TEXT},")
        )
    };
    let file = write(&dir, "handler.py", &code("before"));
    let process = Process::start_in(dir, &["--lambda", &file]).await;
    process.sample("Lambda", "a", "x").run().await.exits(0);
    process.sample("Lambda", "b", "x").run().await.exits(0);
    write(&process.dir, "handler.py", &code("afterwards"));
    process.sample("Lambda", "c", "x").run().await.exits(0);
    let log = process.stop().await.stdout;
    for line in [
        "call 1, before, of a\n",
        "call 2, before, of b\n",
        "lambda    Lambda  (sandbox) handler.py has changed: new processes from here on\n",
        "call 1, afterwards, of c\n",
    ] {
        assert!(log.contains(line), "{line}\n{log}");
    }
}

/// An invocation finishes, as at AWS, and its process serves the next one.
#[tokio::test]
async fn a_client_that_hangs_up_ends_neither_the_call_nor_the_process() {
    if !Program::Python.is_installed() {
        return;
    }
    let dir = TempDir::new().unwrap();
    let (began, go) = (dir.path().join("began.tmp"), dir.path().join("go.tmp"));
    // Outside the folder of the code, or these files would start new processes.
    let code = dir.path().join("code");
    fs::create_dir(&code).unwrap();
    let waits = format!(
        "    if user == 'slow':\n        import time\n        open({began:?}, 'w').close()\n        \
         while not os.path.exists({go:?}):\n            time.sleep(0.01)\n        print('finished')\n"
    );
    let handler = PYTHON.replace(
        "    if user == \"log\":",
        &format!("{waits}    if user == \"log\":"),
    );
    let file = write(&dir, "code/handler.py", &handler);
    let words = ["--lambda", &file, "--lambda-timeout", "60s"];
    let mut process = Process::start_in(dir, &words).await;
    let mut log = BufReader::new(process.child.stdout.take().unwrap()).lines();

    let mut client = process.sample("Lambda", "slow", "x").spawn();
    let is_called = async {
        while !began.exists() {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(Duration::from_secs(10), is_called).await.unwrap();
    client.kill().await.unwrap();
    // The sandbox has seen that the client is gone; only now may the call end.
    let mut lines = lines_until(&mut log, "the client closed the connection").await;
    fs::write(&go, "").unwrap();
    lines += &lines_until(&mut log, "lambda    Lambda  finished").await;
    process.sample("Lambda", "quick", "x").run().await.exits(0);
    lines += &lines_until(&mut log, "Lambda → allow").await;
    assert!(lines.contains("call 2 of quick"), "{lines}");
    drop(process.child.stdin.take());
    process.child.wait().await.unwrap();
}

/// The lines of a log up to the one that contains `text`.
async fn lines_until(log: &mut Lines<BufReader<ChildStdout>>, text: &str) -> String {
    let mut lines = String::new();
    let read = async {
        while !lines.contains(text) {
            lines += &log.next_line().await.unwrap().unwrap();
            lines.push('\n');
        }
    };
    let is_there = timeout(Duration::from_secs(10), read).await.is_ok();
    assert!(is_there, "no {text:?}\n{lines}");
    lines
}
