//! Each command of the page about fleets is one of this program.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

fn page(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).expect(name)
}

/// The words of a command, as a shell splits them as far as the pages need it.
fn words(command: &str) -> Vec<String> {
    let command = command.split(" # ").next().unwrap_or_default();
    let mut words = Vec::new();
    for (at, piece) in command.split('\'').enumerate() {
        match at % 2 {
            0 => words.extend(piece.split_whitespace().map(str::to_owned)),
            _ => words.push(piece.to_owned()),
        }
    }
    words
}

/// The arguments of all commands in a page: of shells, of systemd, of Kubernetes.
fn commands(text: &str) -> Vec<Vec<String>> {
    let mut commands = Vec::new();
    for line in text.split("```").skip(1).step_by(2).flat_map(str::lines).map(str::trim) {
        let shell = line.strip_prefix("exec srun ").unwrap_or(line).strip_prefix("raudal ");
        if let Some(arguments) = shell.or_else(|| line.strip_prefix("ExecStart=/usr/local/bin/raudal ")) {
            commands.push(words(arguments));
        } else if let Some(list) = line.strip_prefix("args: [") {
            let list = list.trim_end_matches(']').split(", ");
            commands.push(list.map(|word| word.trim_matches('"').to_owned()).collect());
        }
    }
    commands
}

fn help(arguments: &[String]) -> (bool, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_raudal"));
    let done =
        command.args(arguments).arg("--help").env_clear().env("RAUDAL_NO_CONFIG", "1").output().expect("it runs");
    (done.status.success(), String::from_utf8_lossy(&[done.stdout, done.stderr].concat()).into_owned())
}

#[test]
fn every_command_of_the_page_has_only_options_that_there_are() {
    let text = page("docs/fleet.md");
    let commands = commands(&text);
    for kind in ["worker", "table", "get", "runs"] {
        assert!(commands.iter().any(|words| words[0] == kind), "{kind}: {commands:?}");
    }
    assert!(commands.len() > 12 && text.contains("#SBATCH") && text.contains("kind: Job"), "{commands:?}");
    for arguments in commands {
        let (good, said) = help(&arguments);
        assert!(good, "{arguments:?}: {said}");
        let mut wrong = arguments.clone();
        wrong.push("--no-such-option".to_owned());
        assert!(!help(&wrong).0, "what is wrong before --help is seen: {arguments:?}");
    }
}

#[test]
fn every_variable_of_the_recipes_is_one_of_a_worker_or_a_run() {
    let text = page("docs/fleet.md");
    let recipes =
        text.split("## Where workers run").nth(1).and_then(|rest| rest.split("\n## ").next()).expect("recipes");
    let is_name = |c: char| c.is_ascii_uppercase() || c == '_';
    let names: BTreeSet<&str> = recipes.split(|c| !is_name(c)).filter(|word| word.starts_with("RAUDAL_")).collect();
    assert!(names.len() >= 2, "{names:?}");
    let known = ["worker", "table"].map(|command| help(&[command.to_owned()]).1).concat();
    for name in names {
        assert!(known.contains(&format!("[env: {name}")), "{name}");
    }
}
