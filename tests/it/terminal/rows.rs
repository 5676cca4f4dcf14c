//! Rows on a terminal while a run goes on: none vanishes, and no bar is drawn over one.

use super::{Terminal, has_bar};
use crate::common::{Answer, Gate, Server};

/// Two tables of a server, each behind a gate.
struct Tables {
    server: Server,
    gates: [Gate; 2],
}

impl Tables {
    fn new() -> Self {
        let gates = [Gate::new(), Gate::new()];
        let server = Server::start([
            ("/1.csv", vec![Answer::ok("k,name\n1,one\n2,two\n").behind(&gates[0])]),
            ("/2.csv", vec![Answer::ok("k,name\n3,three\n4,four\n").behind(&gates[1])]),
        ]);
        Self { server, gates }
    }

    /// The program with its output in a pipe to another one.
    fn with(&self, rows: u16, columns: u16, reader: &str) -> Terminal {
        let line = format!("raudal table '{}' {reader}", self.server.url("/[1-2].csv"));
        Terminal::shell(rows, columns, &line)
    }
}

const WIDTHS: [(u16, u16); 4] = [(40, 80), (80, 40), (80, 200), (200, 40)];

#[test]
fn rows_that_go_through_another_program_to_the_terminal_all_stay_there() {
    for (columns, later) in WIDTHS {
        for (reader, rows) in [
            ("| cat", "k,name\n1,one\n2,two\n3,three\n4,four\n"),
            ("| head -3", "k,name\n1,one\n2,two\n"),
            ("--format csv", "k,name\n1,one\n2,two\n3,three\n4,four\n"),
            ("-o /dev/stdout | cat", "k,name\n1,one\n2,two\n3,three\n4,four\n"),
        ] {
            let tables = Tables::new();
            let mut terminal = tables.with(24, columns, reader);
            let is_file = reader.starts_with("-o");
            terminal.read_until(|screen| is_file || screen.contains("0/2 done"));
            terminal.widen(24, later);
            // A narrow window has no room for bars, so it shows that they were drawn anew.
            terminal.read_until(|screen| is_file || screen.contains('░') == (later > 40));
            tables.gates[0].open();
            terminal.read_until(|screen| screen.contains("2,two"));
            let screen = terminal.contents();
            assert!(screen.starts_with("k,name\n1,one\n2,two"), "{reader} at {columns}:\n{screen}");
            assert!(!has_bar(&screen), "{reader} at {columns}:\n{screen}");
            terminal.widen(24, columns);
            tables.gates[1].open();
            let (code, screen) = terminal.end();
            assert_eq!(code, Some(0), "{reader} at {columns}:\n{screen}");
            // What the program says at the end may come before the other program writes its last rows.
            let shown: Vec<&str> = screen.lines().filter(|line| rows.lines().any(|row| row == *line)).collect();
            assert_eq!(shown.join("\n"), rows.trim_end(), "{reader} at {columns}:\n{screen}");
        }
    }
}

#[test]
fn a_pager_has_the_terminal_for_itself() {
    for (columns, later) in WIDTHS {
        let tables = Tables::new();
        let mut terminal = tables.with(24, columns, "| less");
        tables.gates[0].open();
        tables.gates[1].open();
        terminal.read_until(|screen| screen.contains("(END)"));
        terminal.widen(30, later);
        // less looks at the size again only with the next key, if the signal came before it waited for one.
        terminal.press("r");
        terminal.read_until(|screen| screen.lines().count() == 30);
        let screen = terminal.contents();
        assert!(screen.starts_with("k,name\n1,one\n2,two\n3,three\n4,four\n"), "{columns}:\n{screen}");
        assert!(!has_bar(&screen), "{columns}:\n{screen}");
        terminal.press("q");
        let (code, screen) = terminal.end();
        assert_eq!((code, screen.trim()), (Some(0), ""), "{columns}");
    }
}

#[test]
fn an_interrupted_pipe_leaves_no_bar() {
    let tables = Tables::new();
    let line = format!("trap : INT; raudal table '{}' | cat", tables.server.url("/[1-2].csv"));
    let mut terminal = Terminal::shell(24, 80, &line);
    terminal.read_until(|screen| screen.contains("0/2 done"));
    terminal.press("\u{3}");
    let (_, screen) = terminal.end();
    assert!(screen.starts_with("interrupted: 2 of 2 inputs not done"), "{screen}");
    tables.gates.iter().for_each(Gate::open);
}

#[test]
fn a_regular_file_leaves_the_terminal_to_the_bars() {
    let folder = tempfile::tempdir().expect("a folder");
    let (file, tables) = (folder.path().join("all.csv"), Tables::new());
    let mut terminal = tables.with(24, 80, &format!("> '{}'", file.display()));
    tables.gates[0].open();
    terminal.read_until(|screen| screen.contains("1/2 done"));
    tables.gates[1].open();
    let (code, screen) = terminal.end();
    assert_eq!(code, Some(0), "{screen}");
    assert_eq!(std::fs::read_to_string(file).expect("a table"), "k,name\n1,one\n2,two\n3,three\n4,four\n");
}

#[test]
fn get_prints_its_paths_on_a_terminal_only_when_verbose_and_always_in_a_pipe() {
    for (options, prints) in [("", false), ("-v", true), ("| cat", true), ("-q | cat", true)] {
        let tables = Tables::new();
        tables.gates.iter().for_each(Gate::open);
        let folder = tempfile::tempdir().expect("a folder");
        let (to, from) = (folder.path().display(), tables.server.url("/[1-2].csv"));
        let terminal = Terminal::shell(24, 200, &format!("raudal get '{from}' -d '{to}' {options}"));
        let (code, screen) = terminal.end();
        assert_eq!(code, Some(0), "{screen}");
        assert_eq!(screen.contains("1.csv") && screen.contains("2.csv"), prints, "{options}:\n{screen}");
        assert_eq!(folder.path().read_dir().expect("a folder").count(), 2);
    }
}

#[test]
fn get_goes_on_when_the_reader_of_its_paths_has_seen_enough() {
    let tables = Tables::new();
    let folder = tempfile::tempdir().expect("a folder");
    let (to, from) = (folder.path().display(), tables.server.url("/[1-2].csv"));
    let line = format!("raudal get '{from}' -d '{to}' | (read -r one; echo first)");
    let mut terminal = Terminal::shell(24, 200, &line);
    tables.gates[0].open();
    terminal.read_until(|screen| screen.contains("first"));
    tables.gates[1].open();
    let (code, screen) = terminal.end();
    assert_eq!(code, Some(0), "{screen}");
    assert!(screen.contains("2 files, "), "{screen}");
    assert_eq!(folder.path().read_dir().expect("a folder").count(), 2);
}
