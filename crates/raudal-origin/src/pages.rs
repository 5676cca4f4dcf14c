//! The two HTML pages: the list of archives, and the page for a missing file.

use raudal_catalogue::iter_2020;
use std::fmt::Write as _;
use std::sync::OnceLock;

/// The index: a link to each archive of both editions.
pub(super) fn index() -> &'static str {
    static PAGE: OnceLock<String> = OnceLock::new();
    PAGE.get_or_init(|| {
        let mut page = String::from(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>raudal origin</title></head>\n\
             <body>\n<h1>raudal origin</h1>\n<p>Synthetic archives with the shape of INEGI's ITER 2020; the figures \
             are made up. Any <code>tiny_&lt;number&gt;.zip</code> exists, too.</p>\n",
        );
        for edition in iter_2020::catalogue().editions() {
            let _ = write!(page, "<h2>{}</h2>\n<ul>\n", iter_2020::catalogue().edition_name(edition));
            for entity in iter_2020::catalogue().entries() {
                let file = entity.file(edition);
                let _ = writeln!(page, "<li><a href=\"{file}\">{file}</a> {}</li>", entity.name);
            }
            page.push_str("</ul>\n");
        }
        page.push_str("</body>\n</html>\n");
        page
    })
}

/// The size in bytes of the page that INEGI's server returns, with status 200, for a missing file.
const MISSING_LEN: usize = 2_300;

/// The page for a missing file, which looks like a success. A downloader must not take it for the
/// file.
pub(super) fn missing() -> &'static str {
    static PAGE: OnceLock<String> = OnceLock::new();
    PAGE.get_or_init(|| {
        let mut page = String::from(
            "<!DOCTYPE html>\r\n<html lang=\"es\">\r\n<head>\r\n<meta charset=\"utf-8\">\r\n\
             <title>Página no encontrada</title>\r\n<style>\r\n",
        );
        let end = "</style>\r\n</head>\r\n<body>\r\n<h1>Página no encontrada</h1>\r\n<p>El archivo que busca no existe \
                   o cambió de lugar. Este servidor es de prueba (raudal) y, como el del INEGI, responde 200.</p>\r\n\
                   </body>\r\n</html>\r\n";
        // Style sheets fill most of such pages.
        for rule in 0.. {
            let rule = format!(".c{rule} {{ margin: 0 auto; padding: {rule}px; font-family: sans-serif; }}\r\n");
            if page.len() + rule.len() + end.len() > MISSING_LEN {
                break;
            }
            page.push_str(&rule);
        }
        page.push_str(end);
        page
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_for_a_missing_file_is_as_long_as_inegis() {
        assert!((2_200..=2_400).contains(&missing().len()), "{} bytes", missing().len());
    }

    #[test]
    fn the_index_lists_every_archive_of_both_editions() {
        assert_eq!(index().matches("<li>").count(), 64);
        assert!(index().contains("href=\"iter_32_cpv2020_csv.zip\""));
    }
}
