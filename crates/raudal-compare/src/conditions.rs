//! The conditions of a comparison. Without them, nobody can repeat its figures or judge them.

use super::workload::Setting;
use raudal_common::units::bytes;
use std::time::SystemTime;

/// What a comparison's figures depend on, besides the plan.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Conditions {
    /// When the comparison began, warm-up included.
    pub started: SystemTime,
    /// When it ended.
    pub ended: SystemTime,
    /// The version of raudal.
    pub version: String,
    /// The machine.
    pub machine: Machine,
    /// The command line, if there was one. The caller sets it, without credentials.
    pub command: Option<String>,
    /// The settings of the workload, as it declares them: latency, bandwidth, seed and others.
    pub settings: Vec<Setting>,
}

/// What is known of a machine, without its name.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Machine {
    /// The operating system, as Rust names it: `linux`.
    pub system: String,
    /// The architecture, as Rust names it: `x86_64`.
    pub architecture: String,
    /// The model of the processor. `None` if the system does not report it.
    pub processor: Option<String>,
    /// Bytes of memory. `None` if the system does not report it.
    pub memory: Option<u64>,
}

impl Machine {
    /// Returns this machine. The processor and the memory are known on Linux only.
    pub fn this() -> Self {
        let read = |path| if cfg!(target_os = "linux") { std::fs::read_to_string(path).ok() } else { None };
        Self {
            system: std::env::consts::OS.to_owned(),
            architecture: std::env::consts::ARCH.to_owned(),
            processor: read("/proc/cpuinfo").and_then(|info| field(&info, "model name").map(str::to_owned)),
            memory: read("/proc/meminfo").and_then(|info| kibibytes(&info)),
        }
    }
}

/// Returns the value of the first line `name : value`.
fn field<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    let values = info.lines().filter_map(|line| line.split_once(':'));
    values.map(|(key, value)| (key.trim(), value.trim())).find(|(key, _)| *key == name).map(|(_, value)| value)
}

fn kibibytes(meminfo: &str) -> Option<u64> {
    field(meminfo, "MemTotal")?.strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// Joins settings, each as its name and its value.
pub(super) fn settings(settings: &[Setting], separator: &str) -> String {
    settings.iter().map(|setting| format!("{} {}", setting.name, setting.value)).collect::<Vec<_>>().join(separator)
}

/// Describes a machine on one line.
pub(super) fn machine(machine: &Machine, cores: Option<usize>) -> String {
    let mut parts = vec![format!("{} {}", machine.system, machine.architecture)];
    parts.extend(machine.processor.clone());
    parts.extend(cores.map(|cores| if cores == 1 { "1 core".to_owned() } else { format!("{cores} cores") }));
    parts.extend(machine.memory.map(|memory| format!("{} of memory", bytes(memory))));
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{comparison, even};

    #[test]
    fn processor_and_memory_are_read_as_linux_writes_them() {
        let info = "processor\t: 0\nmodel name\t: Some CPU @ 2.50GHz\nflags\t\t: a b\nmodel name\t: Other\n";
        assert_eq!(field(info, "model name"), Some("Some CPU @ 2.50GHz"));
        assert_eq!(kibibytes("MemTotal:        8000 kB\nMemFree: 1 kB\n"), Some(8_192_000));
        assert_eq!(
            (field("", "model name"), kibibytes("MemTotal: much"), kibibytes("MemTotal: 9 kB x")),
            (None, None, None)
        );
    }

    #[test]
    fn every_condition_that_is_known_is_described_and_no_other() {
        let mut comparison = comparison(vec![even(1, 1, &[10])]);
        let described = comparison.described_conditions();
        let of = |name: &str| described.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str());
        assert_eq!(of("command"), Some("raudal compare fake --seed=7"));
        assert_eq!(of("settings"), Some("latency 80ms, seed 7"));
        assert_eq!(of("machine"), Some("linux x86_64, Some CPU, 2 cores, 8.2 GB of memory"));
        assert_eq!(of("date"), Some("2026-01-02T03:04:05.000Z to 2026-01-02T03:04:15.000Z"));
        comparison.conditions.command = None;
        comparison.conditions.settings.clear();
        let names: Vec<&str> = comparison.described_conditions().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["version", "machine", "date"]);
    }
}
