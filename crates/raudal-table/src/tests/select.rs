//! Which columns a selection takes, in which order and under which names.

use super::{read_query, text};
use crate::{ColumnsMode, Query, Select};
use raudal_common::{Error, Kind, Result};

/// The header and the rows of a table after a selection.
fn selected(select: &str, table: &str, set: impl Fn(&mut Query)) -> Result<String> {
    let mut query = Query::new();
    query.select = Select::parse(select)?;
    set(&mut query);
    let rows = read_query(table.as_bytes(), "x.csv", &query)?;
    Ok(format!("{}\n{}", rows.header().join("|"), text(rows)))
}

/// The header after a selection.
fn header(select: &str, table: &str) -> String {
    let all = selected(select, table, |_| ()).unwrap_or_else(|error| panic!("{select}: {error:?}"));
    all.lines().next().unwrap_or_default().to_owned()
}

fn refused(select: &str, table: &str) -> Error {
    selected(select, table, |_| ()).expect_err(select)
}

const ITER: &str = "ENTIDAD,NOM_ENT,MUN,NOM_MUN,LOC,POBTOT,VPH_TV,VPH_PC,VPH_C_SERV\n1,2,3,4,5,6,7,8,9\n";

#[test]
fn names_globs_ranges_exclusions_and_new_names() {
    for (select, columns) in [
        ("MUN,ENTIDAD", "MUN|ENTIDAD"),
        (" MUN , ENTIDAD ", "MUN|ENTIDAD"),
        ("VPH_*", "VPH_TV|VPH_PC|VPH_C_SERV"),
        ("VPH_?C,*TOT", "VPH_PC|POBTOT"),
        ("VPH_*_*", "VPH_C_SERV"),
        ("ENTIDAD..LOC", "ENTIDAD|NOM_ENT|MUN|NOM_MUN|LOC"),
        ("..MUN", "ENTIDAD|NOM_ENT|MUN"),
        ("VPH_PC..", "VPH_PC|VPH_C_SERV"),
        ("LOC..LOC", "LOC"),
        ("!NOM_*", "ENTIDAD|MUN|LOC|POBTOT|VPH_TV|VPH_PC|VPH_C_SERV"),
        ("!NOM_*,!VPH_*,!LOC", "ENTIDAD|MUN|POBTOT"),
        ("! MUN..", "ENTIDAD|NOM_ENT"),
        ("ENTIDAD..LOC,!NOM_*", "ENTIDAD|MUN|LOC"),
        ("POBTOT,*", "POBTOT|ENTIDAD|NOM_ENT|MUN|NOM_MUN|LOC|VPH_TV|VPH_PC|VPH_C_SERV"),
        ("VPH_*,VPH_PC", "VPH_TV|VPH_PC|VPH_C_SERV"),
        ("POBTOT as people", "people"),
        ("MUN AS `the mun, so`,POBTOT as \"a \"\"b\"\"\"", "the mun, so|a \"b\""),
        ("MUN..LOC,MUN as m", "m|NOM_MUN|LOC"),
        ("MUN as LOC,LOC as MUN", "LOC|MUN"),
        ("`MUN`..\"LOC\"", "MUN|NOM_MUN|LOC"),
        ("!`MUN`..", "ENTIDAD|NOM_ENT"),
        ("..\"MUN\"", "ENTIDAD|NOM_ENT|MUN"),
        ("\"MUN\"..LOC , POBTOT", "MUN|NOM_MUN|LOC|POBTOT"),
        ("MUN..`LOC`", "MUN|NOM_MUN|LOC"),
    ] {
        assert_eq!(header(select, ITER), columns, "{select}");
    }
    assert_eq!(selected("VPH_PC..,!VPH_C*,MUN as m", ITER, |_| ()).unwrap(), "VPH_PC|m\n8,3\n");
    assert_eq!(header("", ITER), header("*", ITER));
}

#[test]
fn a_name_of_any_characters_can_be_selected() {
    let odd = "id,\"Población, total\",a..b,Total*,x as y,!z,\"q\"\"q\",\"b`t\",v[1]\n1,2,3,4,5,6,7,8,9\n";
    for (select, columns) in [
        ("\"Población, total\"", "Población, total"),
        ("`Población, total`,id", "Población, total|id"),
        ("\"Población, total\" as people", "people"),
        ("!\"Población, total\",!id", "a..b|Total*|x as y|!z|q\"q|b`t|v[1]"),
        ("Pob*", "Población, total"),
        // What is just like a name is that name.
        ("a..b", "a..b"),
        ("Total*", "Total*"),
        ("x as y", "x as y"),
        ("!z", "!z"),
        ("q\"q", "q\"q"),
        ("\"q\"\"q\" as r", "r"),
        ("b`t,v[1]", "b`t|v[1]"),
        ("`b``t`", "b`t"),
        ("\"x as y\" as z", "z"),
        ("`a..b`..`x as y`", "a..b|Total*|x as y"),
    ] {
        assert_eq!(header(select, odd), columns, "{select}");
    }
    assert_eq!(header("Total*", "Total,Total*\n1,2\n"), "Total*");
}

#[test]
fn padded_and_decomposed_names_are_found_and_padding_is_warned_of() {
    let padded = " id ,An\u{303}o,pop \n1,2,3\n";
    assert_eq!(header("id,Año,pop", padded), "id|An\u{303}o|pop");
    assert_eq!(header("An\u{303}o", "Año\n1\n"), "Año");
    assert_eq!(header("\" id \"", padded), "id");
    let mut query = Query::new();
    query.filter = Some(crate::Filter::parse("Año == 2 and pop == 3").unwrap());
    let rows = read_query(padded.as_bytes(), "x.csv", &query).unwrap();
    assert_eq!((rows.rows_kept(), rows.header()[0].as_str()), (1, " id "));
    assert_eq!(
        rows.warnings(),
        ["2 names in the header have blanks around them, which do not count: \" id \", \"pop \""]
    );
    // An exact name comes before one that is only the same.
    assert_eq!(selected("a", "a,a \n1,2\n", |_| ()).unwrap(), "a\n1\n");
    let error = refused("a", " a,a \n1,2\n");
    assert_eq!(error.hint_text(), Some("they are \" a\" and \"a \""), "{error}");
}

#[test]
fn with_folded_names_case_and_accents_do_not_count() {
    let table = "MUNICIPIO,Población,Vph_Tv,VPH_PC\n1,2,3,4\n";
    let fold = |query: &mut Query| query.fold_names = true;
    for (select, expected) in [
        ("poblacion,municipio", "Población|MUNICIPIO\n2,1\n"),
        ("vph_*", "Vph_Tv|VPH_PC\n3,4\n"),
        ("POBLACIÓN..vph_tv", "Población|Vph_Tv\n2,3\n"),
    ] {
        assert_eq!(selected(select, table, fold).unwrap(), expected);
    }
    assert_eq!(refused("poblacion", table).hint_text(), Some("did you mean \"Población\"?"));
    let twice = selected("pop", "Pop,POP\n1,2\n", fold).unwrap_err();
    assert_eq!(twice.kind(), Kind::Column);
}

#[test]
fn what_cannot_be_selected_is_refused_with_a_cure() {
    for (select, kind, message) in [
        ("a,a", Kind::Usage, "selected twice: \"a\""),
        ("a,`a`", Kind::Usage, "selected twice: \"a\""),
        ("a,,b", Kind::Usage, "nothing stands between two commas"),
        ("a,", Kind::Usage, "nothing stands"),
        ("!", Kind::Usage, "nothing stands"),
        ("..", Kind::Usage, "a range without ends"),
        ("a..b..c", Kind::Usage, "from one column to another"),
        ("a*..b", Kind::Usage, "from one column to another"),
        ("\"a", Kind::Usage, "never closes: \"a"),
        ("`a` b", Kind::Usage, "beside a quoted name"),
        ("a as \"\"", Kind::Usage, "new name is empty"),
        ("* as x", Kind::Usage, "only a column can have a new name"),
        ("a..b as x", Kind::Usage, "only a column can have a new name"),
        ("!a as x", Kind::Usage, "only a column can have a new name"),
        ("a as x,b as x", Kind::Usage, "the same new name: \"x\""),
        ("A", Kind::Column, "no such column: \"A\""),
        ("!z", Kind::Column, "no such column: \"z\""),
        ("z*", Kind::Column, "no column fits: \"z*\""),
        ("!z*", Kind::Column, "no column fits"),
        ("b..z", Kind::Column, "no such column: \"z\""),
        ("b..a", Kind::Column, "ends before it begins: \"b..a\""),
        ("!*", Kind::Column, "no column is left"),
        ("a as b,b", Kind::Column, "two columns would have this name: \"b\""),
        ("a as x,a as y", Kind::Usage, "selected twice"),
        ("*,a as b", Kind::Column, "two columns would have this name"),
    ] {
        let error = refused(select, "a,b,c\n1,2,3\n");
        assert_eq!(error.kind(), kind, "{select}: {error:?}");
        assert!(error.message().contains(message), "{select}: {error}");
    }
    assert_eq!(refused("A", "a,b\n1,2\n").hint_text(), Some("did you mean \"a\"?"));
}

#[test]
fn in_a_union_a_selected_column_that_is_missing_is_empty() {
    let union = |query: &mut Query| query.columns_mode = ColumnsMode::Union;
    assert_eq!(selected("id,area,pop", "pop,id\n5,1\n", union).unwrap(), "id|area|pop\n1,,5\n");
    assert_eq!(selected("id,area as a", "pop,id\n5,1\n", union).unwrap(), "id|a\n1,\n");
    assert_eq!(selected("id,VPH_*", "pop,id\n5,1\n", union).unwrap(), "id\n1\n");
}

proptest::proptest! {
    #[test]
    fn no_text_makes_a_selection_panic(parts in proptest::collection::vec(
        proptest::sample::select(&["a", "b", "é", "*", "?", "..", ".", "!", "\"", "`", ",", " ", " as ", "as", "A", "\u{303}"][..]), 0..12)) {
        let _ = selected(&parts.concat(), "a,b,\u{e9},as\n1,2,3,4\n", |_| ());
    }
}
