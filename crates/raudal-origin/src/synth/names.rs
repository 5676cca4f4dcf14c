//! Invented names of places: words common in Mexican place names, combined at random.

use super::rng::Rng;

const SAINTS: &[&str] = &[
    "San Juan",
    "San José",
    "San Miguel",
    "San Nicolás",
    "San Andrés",
    "Santa María",
    "Santa Cruz",
    "San Ángel",
    "Santo Tomás",
    "San Ignacio",
    "Santa Inés",
    "San Martín",
];
const FEATURES: &[&str] = &[
    "El Cerro",
    "La Loma",
    "El Arroyo",
    "La Mesa",
    "El Río",
    "La Presa",
    "La Cañada",
    "La Peña",
    "Los Ojos",
    "El Llano",
    "Las Joyas",
    "El Salto",
    "La Laguna",
    "El Pozo",
    "Los Altos",
    "La Barranca",
];
const TREES: &[&str] = &[
    "del Encino",
    "del Mezquite",
    "de las Palmas",
    "de la Ceiba",
    "del Cedro",
    "del Ocote",
    "de los Nogales",
    "del Zapote",
    "de los Pinos",
    "del Huizache",
    "de Güemes",
    "de Dolores",
    "de la Unión",
    "de Guadalupe",
];
const PEOPLE: &[&str] = &[
    "Benito Juárez",
    "Lázaro Cárdenas",
    "Emiliano Zapata",
    "Miguel Hidalgo",
    "José María Morelos",
    "Ignacio Allende",
    "Vicente Guerrero",
    "Venustiano Carranza",
    "Francisco Villa",
    "Melchor Ocampo",
];
const KINDS: &[&str] = &["Rancho", "Granja", "Fraccionamiento", "Colonia", "Establo", "Ampliación", "Ejido"];

/// The end of each name, since a table shows neither the comment nor the other members of its
/// archive.
pub(super) const MARK: &str = " (sintético)";

/// Appends the name of a locality. About one in thirty has a comma, which the CSV must quote.
pub(super) fn locality(rng: &mut Rng, out: &mut String) {
    place(rng, out);
    match rng.below(100) {
        0..22 => bracketed(out, " [", rng.pick(KINDS), "]"),
        22..36 => {
            out.push_str(" (");
            place(rng, out);
            out.push(')');
        }
        36..39 => {
            out.push_str(" (");
            out.push_str(rng.pick(PEOPLE));
            bracketed(out, ", ", rng.pick(KINDS), ")");
        }
        _ => {}
    }
    out.push_str(MARK);
}

/// Appends the name of a municipality.
pub(super) fn municipality(rng: &mut Rng, out: &mut String) {
    match rng.below(3) {
        0 => out.push_str(rng.pick(PEOPLE)),
        1 => bracketed(out, rng.pick(SAINTS), " ", rng.pick(TREES)),
        _ => bracketed(out, rng.pick(FEATURES), " ", rng.pick(TREES)),
    }
    out.push_str(MARK);
}

fn place(rng: &mut Rng, out: &mut String) {
    match rng.below(8) {
        0 => out.push_str(rng.pick(PEOPLE)),
        1 | 2 => out.push_str(rng.pick(SAINTS)),
        3 => bracketed(out, rng.pick(SAINTS), " ", rng.pick(TREES)),
        4 | 5 => out.push_str(rng.pick(FEATURES)),
        _ => bracketed(out, rng.pick(FEATURES), " ", rng.pick(TREES)),
    }
}

fn bracketed(out: &mut String, before: &str, text: &str, after: &str) {
    out.push_str(before);
    out.push_str(text);
    out.push_str(after);
}
