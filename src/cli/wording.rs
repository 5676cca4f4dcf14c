//! Rewords messages of the library for the command line.

/// Replaces the names of settings by options: `` [`max_members`] `` becomes `--max-members`.
///
/// The library has settings, but no command line. Its hints name a setting like a link in Rust's
/// documentation.
pub(super) fn options(text: &str) -> String {
    let mut worded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("[`") {
        let is_setting = |name: &str| !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
        worded.push_str(before);
        if let Some((name, after)) = after.split_once("`]").filter(|(name, _)| is_setting(name)) {
            worded.push_str("--");
            worded.push_str(&name.replace('_', "-"));
            rest = after;
        } else {
            worded.push_str("[`");
            rest = after;
        }
    }
    worded + rest
}

#[cfg(test)]
mod tests {
    use super::options;

    #[test]
    fn settings_are_worded_as_options_and_all_else_stays() {
        assert_eq!(options("raise the limit with [`max_members`]"), "raise the limit with --max-members");
        assert_eq!(options("leave out [`write`] or [`database`]"), "leave out --write or --database");
        for text in ["", "no setting", "[`a b`] == 1", "[`", "in [`MUN`]", "[a] `b`"] {
            assert_eq!(options(text), text);
        }
    }
}
