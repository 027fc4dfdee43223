//! The codecs: the contestants, the measurements and their order.

mod cases;
mod contestant;
mod dunlin;
mod fields;
mod goals;
mod limits;
#[cfg(feature = "peers")]
mod peers;
mod report;
mod table;
mod validation;
mod work;

use cases::Case;
use contestant::{Entry, Outcome, Task};
use limits::LIMITS;
use report::{Column, Figures, Group, Held, Report, Row};

use crate::timing::{self, Work};
use crate::{allocations, instructions};

/// The first ten bytes of a PUBLISH of 256 MiB.
static ANNOUNCED: [u8; 10] = [0x30, 0xff, 0xff, 0xff, 0x7f, 0x00, 0x03, b'a', b'/', b'b'];

/// Measures everything.
pub fn measure() -> Report {
    let mut counts = instructions::of_child("codec")
        .unwrap_or_default()
        .into_iter();
    let entries = entries();
    let mut report = Report::default();
    for case in cases::all() {
        let mut group = group(case.name, &case, &entries);
        for (column, task) in TASKS {
            let figures = measure_task(&entries, &case, task, &mut counts);
            group.set_column(column, figures, &mut report.notes);
        }
        let best_copy = group.best(Column::Encode, "the best copy, as above");
        report.groups.push(group);
        if case.name == cases::LARGE {
            let mut group = self::group(SHARED, &case, &entries);
            let figures = measure_task(&entries, &case, Task::Share, &mut counts);
            group.set_column(Column::Encode, figures, &mut report.notes);
            group.rows.extend(best_copy);
            report.groups.push(group);
        }
    }
    report.groups.iter_mut().for_each(Group::compare);
    report.goals = goals::of(&report.groups);
    report.validation = validation::of(&entries);
    report.held = entries.iter().filter_map(held).collect();
    report
}

/// Runs each work once, in the order of [`measure`], inside the function that is counted.
pub fn run_each_once() {
    let entries = entries();
    for case in cases::all() {
        let shared = (case.name == cases::LARGE).then_some(Task::Share);
        for task in TASKS.into_iter().map(|(_, task)| task).chain(shared) {
            for mut work in works(&entries, &case, task).into_iter().flatten() {
                // The first run allocates buffers that the counted run reuses.
                work.prepare();
                work.run();
                work.prepare();
                instructions::counted(work.as_mut());
            }
        }
    }
}

const SHARED: &str = "head of a PUBLISH of 16 KiB, payload shared";

/// The task of each column.
const TASKS: [(Column, Task); 3] = [
    (Column::Decode, Task::Decode),
    (Column::Read, Task::Read),
    (Column::Encode, Task::Encode),
];

fn group(name: &'static str, case: &Case, entries: &[Entry]) -> Group {
    Group::new(
        name,
        case.packet_len(),
        entries.iter().map(|entry| Row::new(entry.name, entry.side)),
    )
}

fn entries() -> Vec<Entry> {
    let mut entries = vec![
        Entry::ours::<dunlin::Borrowed>(),
        Entry {
            accepts: None,
            ..Entry::ours::<dunlin::Direct>()
        },
        Entry::ours::<dunlin::Owned>(),
        Entry {
            accepts: None,
            ..Entry::ours::<dunlin::ToSlice>()
        },
    ];
    #[cfg(feature = "peers")]
    entries.extend([
        Entry::peer::<peers::Rumqttc>(),
        Entry::peer::<peers::RumqttcNext>(),
        Entry::peer::<peers::Mqttbytes>(),
        Entry::peer::<peers::Mqtt5Protocol>(),
        Entry::peer::<peers::MqttProtocolCore>(),
        Entry::peer::<peers::RmqttCodec>(),
        Entry::peer::<peers::NtexMqtt>(),
        Entry::peer::<peers::ShiguredoMqtt>(),
    ]);
    entries.extend(LIMITS);
    entries
}

fn works(entries: &[Entry], case: &Case, task: Task) -> Vec<Outcome<Box<dyn Work>>> {
    entries
        .iter()
        .map(|entry| (entry.work)(case, task))
        .collect()
}

/// Measures a task: figures or a reason for each entry.
fn measure_task(
    entries: &[Entry],
    case: &Case,
    task: Task,
    counts: &mut impl Iterator<Item = u64>,
) -> Vec<Outcome<Figures>> {
    let mut prepared = Vec::new();
    let mut outcomes = Vec::new();
    for outcome in works(entries, case, task) {
        outcomes.push(outcome.map(|work| prepared.push(work)));
    }
    let mut timings = timing::time(&mut prepared).into_iter();
    let mut prepared = prepared.into_iter();
    let mut figures = move || {
        let (mut work, timing) = (prepared.next()?, timings.next()?);
        work.prepare();
        let packets = f64::from(work.packets());
        let allocations = allocations::count(|| work.run()).calls as f64 / packets;
        let instructions = counts.next().map(|count| count as f64 / packets);
        Some(Figures {
            min_ns: timing.min,
            median_ns: timing.median,
            allocations,
            instructions,
            ratio: None,
        })
    };
    let figures = outcomes
        .into_iter()
        .map(|outcome| outcome.and_then(|()| figures().ok_or_else(String::new)));
    figures.collect()
}

fn held(entry: &Entry) -> Option<Held> {
    match (entry.held_after)(&ANNOUNCED) {
        Ok(bytes) => Some(Held {
            name: entry.name,
            bytes: Some(bytes),
            reason: String::new(),
        }),
        Err(reason) if reason.is_empty() => None,
        Err(reason) => Some(Held {
            name: entry.name,
            bytes: None,
            reason,
        }),
    }
}
