use std::path::{Path, PathBuf};

/// A library that gives a process another time of day, where there is one.
#[derive(Debug, Clone, Default)]
pub struct ClockSteps {
    library: Option<PathBuf>,
}

/// Where Debian has libfaketime.
const PLACES: [&str; 3] = [
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1",
    "/usr/lib/faketime/libfaketime.so.1",
];

impl ClockSteps {
    /// Steps by libfaketime, where it is installed (`apt install libfaketime`); none otherwise.
    pub fn find() -> Self {
        Self {
            library: PLACES.iter().map(PathBuf::from).find(|place| place.exists()),
        }
    }

    /// Whether there can be any.
    pub const fn are_possible(&self) -> bool {
        self.library.is_some()
    }

    /// What a process is started with so that its clock is `seconds` off. Only the time of day: a machine's other clock never
    /// steps.
    pub(crate) fn environment(&self, seconds: i64) -> Vec<(String, String)> {
        let Some(library) = self.library.as_deref().and_then(Path::to_str) else {
            return Vec::new();
        };
        [
            ("LD_PRELOAD", library.to_owned()),
            ("FAKETIME", format!("{seconds:+}")),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .to_vec()
    }
}
