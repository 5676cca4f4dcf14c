//! Runs an example as a user would, and returns its output.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Once;
use std::time::SystemTime;

/// The output of an example.
#[derive(Clone, Debug)]
pub struct Said {
    pub out: String,
    pub err: String,
}

impl Said {
    pub fn lines(&self) -> Vec<&str> {
        self.out.lines().collect()
    }

    /// Returns the position of this exact line. A failure shows the whole output.
    pub fn place(&self, line: &str) -> usize {
        self.lines().iter().position(|l| *l == line).unwrap_or_else(|| panic!("no line {line:?} in:\n{}", self.out))
    }

    /// Returns the rest of each line with this prefix, in order.
    pub fn after(&self, prefix: &str) -> Vec<&str> {
        self.out.lines().filter_map(|line| line.strip_prefix(prefix)).collect()
    }

    /// Returns the number after this prefix, which must occur on one line only.
    pub fn number(&self, prefix: &str) -> u64 {
        let found = self.after(prefix);
        let [rest] = found[..] else { panic!("not one line {prefix:?} but {}:\n{}", found.len(), self.out) };
        let digits: String = rest.trim_start().chars().take_while(char::is_ascii_digit).collect();
        digits.parse().unwrap_or_else(|_| panic!("no number behind {prefix:?} in:\n{}", self.out))
    }
}

/// Returns the path of the built example. `cargo test` builds the examples before it runs a test,
/// but `cargo test --test it` does not. So an example that is missing or older than its source is
/// built here.
pub fn binary(name: &str) -> PathBuf {
    static BUILD: Once = Once::new();
    let test = std::env::current_exe().expect("the test's own path");
    let folder = test.parent().and_then(Path::parent).expect("target/<profile>/deps").join("examples");
    let path = folder.join(name).with_extension(std::env::consts::EXE_EXTENSION);
    if is_stale(&path, name) {
        BUILD.call_once(|| {
            let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
            cargo.args(["build", "--examples", "--quiet"]).current_dir(env!("CARGO_MANIFEST_DIR"));
            // Cargo sets these variables for the tests of a package. Build scripts would see them
            // as a change, and half of the tree would be rebuilt.
            for (name, _) in std::env::vars_os() {
                let shown = name.to_string_lossy();
                if ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_"].iter().any(|of_test| shown.starts_with(of_test)) {
                    cargo.env_remove(name);
                }
            }
            if folder.components().any(|part| part.as_os_str() == "release") {
                cargo.arg("--release");
            }
            assert!(cargo.status().expect("cargo runs").success(), "the examples are built");
        });
    }
    assert!(path.exists(), "no example {name}: try `cargo build --examples`");
    path
}

fn is_stale(binary: &Path, name: &str) -> bool {
    let changed = |path: &Path| path.metadata().and_then(|m| m.modified()).ok();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name).with_extension("rs");
    let source = changed(&source).unwrap_or(SystemTime::UNIX_EPOCH);
    changed(binary).is_none_or(|built| built < source)
}

/// Returns the command of the example, without variables that change its behaviour.
pub fn example(name: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(binary(name));
    command.args(arguments).stdin(Stdio::null());
    for (name, _) in std::env::vars_os() {
        let shown = name.to_string_lossy();
        if shown.starts_with("RAUDAL_") || shown.to_ascii_lowercase().ends_with("_proxy") {
            command.env_remove(name);
        }
    }
    command
}

/// Runs an example to its end, which must be a success.
pub fn run(name: &str) -> Said {
    run_with(name, &[])
}

/// The same, with arguments.
pub fn run_with(name: &str, arguments: &[&str]) -> Said {
    let done = example(name, arguments).output().expect("the example runs");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    let said = Said { out: text(done.stdout), err: text(done.stderr) };
    assert!(done.status.success(), "{name}: {}\n{}{}", done.status, said.out, said.err);
    said
}

/// Parses numbers.
pub fn numbers(lines: &[&str]) -> Vec<u64> {
    lines.iter().map(|line| line.parse().unwrap_or_else(|_| panic!("not a number: {line:?}"))).collect()
}
