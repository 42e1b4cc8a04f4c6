//! Steps that take time, send or catch signals, or end the program.

use std::time::Duration;

use rustix::event::pause;
use serde_json::json;

use super::step::{self, DONE, Done, Outcome, Parameters, Step};
use crate::{signal, sys};

pub(super) const STEPS: &[Step] = &[
    Step::new("exit:CODE", |parameters| Ok(Done::Exit(parameters.number()?))),
    Step::new("wait", wait),
    Step::new("sleep:MS", sleep),
    Step::new("signal:NAME", send),
    Step::new("fault", fault),
    Step::new("abort", |_| std::process::abort()),
    Step::new("trap:NAME[:CODE]", trap),
    Step::new("ignore:NAME", ignore),
];

/// What a trap exits with if nothing is said.
const CAUGHT: u8 = 42;

fn wait(_: Parameters<'_>) -> Outcome {
    loop {
        pause();
    }
}

fn sleep(parameters: Parameters<'_>) -> Outcome {
    std::thread::sleep(Duration::from_millis(parameters.number()?));
    DONE
}

fn send(parameters: Parameters<'_>) -> Outcome {
    sys::kill(std::process::id(), step::signal(parameters.one()?)?)?;
    DONE
}

fn fault(_: Parameters<'_>) -> Outcome {
    sys::fault()?;
    DONE
}

fn trap(parameters: Parameters<'_>) -> Outcome {
    let (name, code) = match parameters.several() {
        Ok([name, code]) => (name, step::number(code)?),
        Err(_) => (parameters.one()?, CAUGHT),
    };
    let number = step::signal(name)?;
    sys::trap(number, format!("{}\n", json!({"caught": signal::name(number)})), code)?;
    DONE
}

fn ignore(parameters: Parameters<'_>) -> Outcome {
    sys::ignore(step::signal(parameters.one()?)?)?;
    DONE
}
