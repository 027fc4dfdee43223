//! Lower bounds for every codec: finding the packets, checking their text, copying their bytes.

use std::hint::black_box;

use super::cases::Case;
use super::contestant::{Contestant, Entry, Outcome, Side, Task};
use super::dunlin::Borrowed;
use super::fields::Texts;
use super::work::{AT_ONCE, RUN};
use crate::timing::Work;

/// One row each.
pub const LIMITS: [Entry; 3] = [
    limit("limit: fixed-header scan", scan),
    limit("limit: from_utf8 of the text", check_text),
    limit("limit: memcpy", copy),
];

const fn limit(name: &'static str, work: fn(&Case, Task) -> Outcome<Box<dyn Work>>) -> Entry {
    Entry {
        name,
        side: Side::Limit,
        work,
        accepts: None,
        held_after: |_| Err(String::new()),
    }
}

fn scan(case: &Case, task: Task) -> Outcome<Box<dyn Work>> {
    only(Task::Decode, task)?;
    let stream = case.stream;
    Limit::boxed(case.count, move || {
        let mut rest = stream;
        while let [_, after_type @ ..] = rest {
            let (mut len, mut shift, mut at) = (0, 0, 0);
            while let Some(byte) = after_type.get(at) {
                len |= usize::from(byte & 0x7f) << shift;
                (shift, at) = (shift + 7, at + 1);
                if byte & 0x80 == 0 {
                    break;
                }
            }
            let body;
            (body, rest) = after_type[at..].split_at(len);
            black_box(body);
        }
    })
}

fn check_text(case: &Case, task: Task) -> Outcome<Box<dyn Work>> {
    only(Task::Read, task)?;
    let mut texts = Texts::default();
    for packet in case.packets.iter().cycle().take(case.count as usize) {
        Borrowed::read(packet, &mut texts);
    }
    if texts.0.is_empty() {
        return Err(String::new());
    }
    Limit::boxed(case.count, move || {
        for text in &texts.0 {
            _ = black_box(std::str::from_utf8(text.as_bytes()));
        }
    })
}

fn copy(case: &Case, task: Task) -> Outcome<Box<dyn Work>> {
    only(Task::Encode, task)?;
    let mut packets = Vec::new();
    for packet in case.packets.iter().take(AT_ONCE) {
        let mut bytes = Vec::new();
        packet.encode(&mut bytes).expect("a legal packet");
        packets.push(bytes);
    }
    let repeats = RUN / packets.len();
    let count = u32::try_from(packets.len() * repeats).expect("a small number");
    let mut out = Vec::with_capacity(packets.iter().map(Vec::len).sum());
    Limit::boxed(count, move || {
        for _ in 0..repeats {
            out.clear();
            for packet in &packets {
                out.extend_from_slice(black_box(packet));
            }
            black_box(&out);
        }
    })
}

fn only(wanted: Task, task: Task) -> Outcome<()> {
    if wanted == task {
        Ok(())
    } else {
        Err(String::new())
    }
}

struct Limit<F> {
    packets: u32,
    work: F,
}

impl<F: FnMut() + 'static> Limit<F> {
    fn boxed(packets: u32, work: F) -> Outcome<Box<dyn Work>> {
        Ok(Box::new(Self { packets, work }))
    }
}

impl<F: FnMut()> Work for Limit<F> {
    fn prepare(&mut self) {}

    fn run(&mut self) {
        (self.work)();
    }

    fn packets(&self) -> u32 {
        self.packets
    }
}
