//! Builds many mutants into one program, each behind a switch, and tries them one by one.
//!
//! `cornercast-mutants TREE LIST OUTCOMES`: TREE is a work tree, which is changed meanwhile; LIST is what
//! `cargo mutants --list --json` prints there. Lines go to OUTCOMES as soon as something is known: `noticed`, `late`,
//! `missed`, `unviable` or `alone`, a tab, and the mutant's name; the last line about a mutant counts. JOBS mutants
//! are tried at the same time (default 1). One that is `alone` has no switch, because it stands where the compiler
//! runs the code or changes what a type is; it is tried at the end, in a program of its own.
//!
//! Building a program takes many seconds, running the cases in it less than one: that is what this saves.

mod compile;
mod mutant;
mod sites;
mod switch;
mod trial;

use std::collections::BTreeMap;
use std::error::Error;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use mutant::{Mutant, Outcome};
use trial::{TESTS, Test};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [tree, list, outcomes] = arguments.as_slice() else {
        return Err("usage: cornercast-mutants TREE LIST OUTCOMES".into());
    };
    let mutants: Vec<Mutant> = serde_json::from_slice(&fs::read(list)?)?;
    if mutants.is_empty() {
        File::create(outcomes)?;
        return Ok(());
    }
    let run = Run { tree: Path::new(tree), mutants, outcomes: File::create(outcomes)? };
    let texts = run.texts()?;

    let library = run.tree.join("validator/src/lib.rs");
    let original = fs::read_to_string(&library)?;
    fs::write(&library, switch::with_module(&original))?;
    let known = run.switch_all(&texts)?;
    for (number, outcome) in &known {
        run.note(*number, *outcome)?;
    }
    // The slow tests have to try only what the quick ones do not notice.
    let mut left: Vec<usize> = (0..run.mutants.len()).filter(|number| !known.contains_key(number)).collect();
    for wanted in TESTS {
        let test = Test::build(run.tree, wanted)?.ok_or(format!("{wanted:?} does not compile"))?;
        if !test.passes()? {
            return Err(format!("{wanted:?} fails without any mutant").into());
        }
        left = run.try_each(&test, &left)?;
    }

    fs::write(library, original)?;
    run.restore(&texts)?;
    for number in known.into_iter().filter(|(_, outcome)| *outcome == Outcome::Alone).map(|(number, _)| number) {
        let mutant = &run.mutants[number];
        let text = &texts[&*mutant.file];
        fs::write(run.tree.join(&mutant.file), mutant.applied(text))?;
        run.note(number, run.alone(number)?)?;
        fs::write(run.tree.join(&mutant.file), text)?;
    }
    Ok(())
}

struct Run<'a> {
    tree: &'a Path,
    mutants: Vec<Mutant>,
    outcomes: File,
}

impl Run<'_> {
    /// The files that have mutants.
    fn texts(&self) -> io::Result<BTreeMap<&str, String>> {
        let files = self.mutants.iter().map(|mutant| &*mutant.file);
        files.map(|file| Ok((file, fs::read_to_string(self.tree.join(file))?))).collect()
    }

    fn restore(&self, texts: &BTreeMap<&str, String>) -> io::Result<()> {
        texts.iter().try_for_each(|(file, text)| fs::write(self.tree.join(file), text))
    }

    /// Puts all mutants into the files, but for those that do not let it compile: what is known of them.
    fn switch_all(&self, texts: &BTreeMap<&str, String>) -> Result<BTreeMap<usize, Outcome>, Box<dyn Error>> {
        let mut known: BTreeMap<usize, Outcome> = BTreeMap::new();
        loop {
            let mut files = BTreeMap::new();
            for (file, text) in texts {
                let of_file = self.mutants.iter().enumerate().filter(|(_, mutant)| mutant.file == *file);
                let wanted = of_file.filter(|(number, _)| !known.contains_key(number));
                let mut switched = switch::switched(text, wanted)?;
                known.extend(switched.left_out.drain(..));
                fs::write(self.tree.join(file), &switched.text)?;
                files.insert(*file, switched);
            }
            let refused = compile::refused(self.tree, &files)?;
            if refused.is_empty() {
                return Ok(known);
            }
            known.extend(refused);
        }
    }

    /// Tries the mutants `numbers`, and gives those that are missed.
    fn try_each(&self, test: &Test, numbers: &[usize]) -> Result<Vec<usize>, Box<dyn Error>> {
        let jobs = std::env::var("JOBS").map_or(Ok(1), |jobs| jobs.parse())?;
        let next = AtomicUsize::new(0);
        let work = || -> io::Result<Vec<usize>> {
            let mut missed = Vec::new();
            while let Some(number) = numbers.get(next.fetch_add(1, Ordering::Relaxed)) {
                let outcome = test.outcome(*number, &self.mutants[*number])?;
                self.note(*number, outcome)?;
                if outcome == Outcome::Missed {
                    missed.push(*number);
                }
            }
            Ok(missed)
        };
        let missed: Vec<_> = thread::scope(|scope| {
            let workers: Vec<_> = (0..jobs).map(|_| scope.spawn(work)).collect();
            workers.into_iter().map(|worker| worker.join().expect("no panic")).collect()
        });
        let mut missed = missed.into_iter().collect::<io::Result<Vec<_>>>()?.concat();
        missed.sort_unstable();
        Ok(missed)
    }

    /// What becomes of a mutant that stands in the file instead of the original.
    fn alone(&self, number: usize) -> Result<Outcome, Box<dyn Error>> {
        for wanted in TESTS {
            let Some(test) = Test::build(self.tree, wanted)? else { return Ok(Outcome::Unviable) };
            let outcome = test.outcome(number, &self.mutants[number])?;
            if outcome != Outcome::Missed {
                return Ok(outcome);
            }
        }
        Ok(Outcome::Missed)
    }

    /// One call, so that lines stay whole.
    fn note(&self, number: usize, outcome: Outcome) -> io::Result<()> {
        let line = format!("{outcome}\t{}\n", self.mutants[number].name);
        (&self.outcomes).write_all(line.as_bytes())
    }
}
