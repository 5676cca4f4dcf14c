//! Pages to scrape: an index of teams, and a page for each with a table of its players.
//!
//! Everything on them is invented, and the same each time. They are as untidy as real pages: names
//! with accents, links inside cells, empty cells, a character reference, a second table that nobody
//! wants. One team has no page, so a link of the index leads to the page for a missing file.

use std::fmt::Write as _;

/// A team that the index lists.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Team {
    /// The name of its page, without `.html`.
    page: &'static str,
    name: &'static str,
    city: &'static str,
}

const TEAMS: [Team; 8] = [
    Team { page: "halcones", name: "Halcones de Río Ámbar", city: "Río Ámbar" },
    Team { page: "nandues", name: "Ñandúes del Sur", city: "Puerto Ñuble Alto" },
    Team { page: "condores", name: "Cóndores de Peña Alta", city: "Peña Alta" },
    Team { page: "linces", name: "Linces & Zorros", city: "San Ibáñez" },
    Team { page: "ciguenas", name: "Cigüeñas de Güémbar", city: "Güémbar" },
    Team { page: "alacranes", name: "Alacranes de Cañón Seco", city: "Cañón Seco" },
    Team { page: "delfines", name: "Delfines de Bahía Élite", city: "Bahía Élite" },
    Team { page: "tejones", name: "Tejones de la Hoya", city: "La Hoya" },
];

/// A team that the index lists, but that has no page.
const GHOSTS: Team = Team { page: "fantasmas", name: "Fantasmas del Llano", city: "El Llano" };

const GIVEN: [&str; 11] =
    ["José", "Ángel", "Íñigo", "Raúl", "Óscar", "Nahuel", "Martín", "Úrsula", "Begoña", "Itzel", "Zoé"];
const FAMILY: [&str; 7] = ["Núñez", "Ibáñez", "Peña", "Güemes", "Cortés", "D'Ávila", "Xool"];
const PLAYERS: usize = 11;

/// Returns the index of the teams in the order of the table above, with the missing one in the
/// middle.
pub(super) fn index() -> String {
    let mut page = head("Liga inventada");
    page.push_str("<table class=\"nav\"><tr><td><a href=\"/\">inicio</a></td></tr></table>\n<ul class=\"equipos\">\n");
    for team in TEAMS[..4].iter().chain([&GHOSTS]).chain(&TEAMS[4..]) {
        let _ = writeln!(page, "<li><a href=\"{}.html\">{}</a>, {}</li>", team.page, text(team.name), team.city);
    }
    page.push_str("</ul>\n</body>\n</html>\n");
    page
}

/// Returns the team whose page has this path, such as `/teams/halcones.html`.
pub(super) fn find(path: &str) -> Option<&'static Team> {
    let page = path.strip_prefix("/teams/")?.strip_suffix(".html")?;
    TEAMS.iter().find(|team| team.page == page)
}

/// Returns a team's page: the table, and what surrounds it.
pub(super) fn page(team: &Team) -> String {
    let number = TEAMS.iter().position(|other| other == team).unwrap_or_default();
    let mut page = head(team.name);
    page.push_str("<table class=\"nav\"><tr><td><a href=\"./\">equipos</a></td></tr></table>\n");
    page.push_str("<table class=\"plantilla\">\n<thead><tr>");
    for column in ["Núm.", "Jugador", "Posición", "Edad", "Goles"] {
        let _ = write!(page, "<th>{column}</th>");
    }
    page.push_str("</tr></thead>\n<tbody>\n");
    for player in 0..PLAYERS {
        let name =
            format!("{} {}", GIVEN[(number * 3 + player) % GIVEN.len()], FAMILY[(number + player * 2) % FAMILY.len()]);
        let place = ["Portero", "Defensa", "Mediocampista", "Delantero"][player.div_ceil(3) % 4];
        // A goalkeeper's goals are an empty cell, which is not 0. Some ages are unknown.
        let goals = if place == "Portero" { String::new() } else { ((number * 5 + player * 7) % 13).to_string() };
        let age =
            if (number + player) % 6 == 5 { String::new() } else { (18 + (number * 7 + player * 5) % 17).to_string() };
        let _ = writeln!(
            page,
            "<tr><td>{}</td><td><a href=\"/teams/{}/{player}\">{name}</a></td><td>{place}</td><td>{age}</td><td>{goals}</td></tr>",
            player + 1,
            team.page,
        );
    }
    let _ = write!(page, "</tbody>\n</table>\n<p>{}, en {}.</p>\n</body>\n</html>\n", text(team.name), team.city);
    page
}

fn head(title: &str) -> String {
    let title = text(title);
    format!(
        "<!DOCTYPE html>\n<html lang=\"es\">\n<head><meta charset=\"utf-8\"><title>{title}</title></head>\n\
         <body>\n<h1>{title}</h1>\n"
    )
}

/// Escapes text for HTML.
fn text(text: &str) -> String {
    text.replace('&', "&amp;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_index_leads_to_every_page_and_to_one_that_is_not_there() {
        let index = index();
        let links: Vec<_> = index
            .match_indices("<li><a href=\"")
            .filter_map(|(at, tag)| index[at + tag.len()..].split('"').next())
            .collect();
        assert_eq!(links.len(), TEAMS.len() + 1);
        let missing: Vec<_> = links.iter().filter(|link| find(&format!("/teams/{link}")).is_none()).collect();
        assert_eq!(missing, [&"fantasmas.html"]);
    }

    #[test]
    fn a_page_holds_a_table_with_accents_links_and_empty_cells() {
        for team in &TEAMS {
            let page = page(team);
            assert_eq!(page.matches("<tr><td>").count(), PLAYERS + 1, "the players, and the row of the other table");
            assert!(page.contains("Posición") && page.contains("<a href=\"/teams/"), "{page}");
            assert!(page.contains("<td></td>"), "{page}");
        }
        assert!(page(&TEAMS[3]).contains("<h1>Linces &amp; Zorros</h1>"));
    }

    #[test]
    fn only_a_teams_own_path_finds_it() {
        assert_eq!(find("/teams/nandues.html"), Some(&TEAMS[1]));
        for path in ["/nandues.html", "/teams/nandues", "/teams/NANDUES.html", "/teams/", "/teams/x/nandues.html"] {
            assert_eq!(find(path), None, "{path}");
        }
    }
}
