//! What is on the screen when others write to the terminal too, or change its size.

use super::*;

#[test]
fn once_the_bars_are_hidden_for_good_only_messages_are_shown() {
    let show = Show::on_terminal(80, 24, Verbosity::Normal);
    show.start(2).half_way(0);
    show.after(1000);
    show.progress.hide_bars();
    assert_eq!((show.screen.text().as_str(), show.screen.cursor()), ("", (0, 0)));
    show.screen.clone().write_all(b"01,Aguascalientes\n").unwrap();
    show.half_way(1);
    show.after(1000);
    show.progress.note("a note");
    show.progress.finish();
    assert_eq!(show.screen.text(), "01,Aguascalientes\na note");
}

#[test]
fn a_row_of_another_program_that_comes_while_bars_are_drawn_stays() {
    let show = Show::on_terminal(80, 24, Verbosity::Normal);
    show.start(2).half_way(0).half_way(1);
    show.after(1000);
    show.screen.clone().write_all(b"01,Aguascalientes\n02,Baja California\n").unwrap();
    show.after(100);
    show.end();
    show.progress.finish();
    let text = show.screen.text();
    let rows: Vec<&str> = text.lines().map(|line| line.split('░').next().unwrap()).collect();
    assert!(rows[0].starts_with("01,Aguascalientes") && rows[1].starts_with("02,Baja California"), "{text}");
    assert_eq!((rows.len(), show.screen.cursor()), (2, (2, 0)), "the bars are gone: {text}");
}

#[test]
fn a_window_that_changes_its_size_leaves_no_bar_behind() {
    for (before, after) in [(200, 40), (80, 40), (40, 200), (80, 30)] {
        let show = Show::on_terminal(before, 24, Verbosity::Normal);
        show.progress.note("said before");
        show.start(40);
        for job in 0..12 {
            show.half_way(job);
        }
        show.after(1000);
        show.screen.resize(after, 24);
        let text = show.after(100);
        let bars = text.lines().filter(|line| line.contains(".zip")).count();
        assert_eq!((text.lines().count(), bars), (11, 8), "{before} to {after}\n{text}");
        show.screen.resize(before, 24);
        show.end();
        show.progress.finish();
        assert_eq!((show.screen.text().as_str(), show.screen.cursor()), ("said before", (1, 0)));
    }
}

#[test]
fn a_key_that_the_terminal_echoes_goes_with_the_bars() {
    let show = Show::on_terminal(80, 24, Verbosity::Normal);
    show.start(1).half_way(0);
    show.after(1000);
    show.screen.clone().write_all(b"^C").unwrap();
    show.progress.finish();
    assert_eq!((show.screen.text().as_str(), show.screen.cursor()), ("", (0, 0)));
}

#[test]
fn while_a_pager_has_the_terminal_only_errors_are_said() {
    let show = Show::beside_a_pager();
    show.start(1).half_way(0);
    assert_eq!(show.after(1000), "");
    show.progress.note("a note");
    show.progress.detail("a detail");
    show.progress.error("an error");
    assert_eq!(show.after(1000), "an error");
}

#[test]
fn a_program_that_ends_at_once_leaves_no_bars() {
    let show = Show::on_terminal(80, 24, Verbosity::Normal);
    show.start(1).half_way(0);
    show.after(1000);
    let erase = show.progress.eraser();
    erase();
    assert_eq!(show.after(1000), "");
    show.progress.finish();
    let erase = show.progress.eraser();
    drop(show);
    erase();
}
