//! The command line: `[--quick | --full] [--write] [SCENARIO...]`.

use crate::world::worker::Program;

/// How much is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// A look: some seconds each.
    Quick,
    /// What docs/BENCHMARKS.md shows.
    Usual,
    /// With the sizes that take long to set up.
    Full,
}

/// What was asked for.
#[derive(Clone, Debug)]
pub struct Options {
    pub size: Size,
    /// Put the rows into docs/BENCHMARKS.md.
    pub write: bool,
    /// All there are, in their order.
    known: &'static [&'static str],
    /// Those that were asked for; all where there are none.
    names: Vec<String>,
}

impl Options {
    /// Reads the arguments; `known` are the scenarios there are. Ends the process with a hint where an argument is not known.
    pub fn from_arguments(known: &'static [&'static str]) -> Self {
        let mut options = Self { size: Size::Usual, write: false, known, names: Vec::new() };
        for argument in std::env::args().skip(1) {
            match argument.as_str() {
                "--quick" => options.size = Size::Quick,
                "--full" => options.size = Size::Full,
                "--write" => options.write = true,
                // What `cargo bench` adds by itself.
                "--bench" => {}
                name if known.contains(&name) => options.names.push(argument),
                other => {
                    eprintln!("{other}: no such scenario; there are: {}", known.join(" "));
                    std::process::exit(1);
                }
            }
        }
        options
    }

    /// The scenarios to run, in their order.
    pub fn scenarios(&self) -> impl Iterator<Item = &'static str> {
        let usual = |name: &str| name != "before" || Program::before().is_some();
        let wanted = move |name: &&str| match &self.names[..] {
            [] => usual(name),
            names => names.iter().any(|asked| asked == name),
        };
        self.known.iter().copied().filter(wanted)
    }

    /// One of three numbers, by size.
    pub fn of<T>(&self, quick: T, usual: T, full: T) -> T {
        match self.size {
            Size::Quick => quick,
            Size::Usual => usual,
            Size::Full => full,
        }
    }
}
