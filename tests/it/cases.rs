use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

/// Tests by case, as tests/cases.md has them.
fn table() -> BTreeMap<String, BTreeSet<String>> {
    let page = include_str!("../cases.md");
    let mut cases = BTreeMap::new();
    for row in page.lines().filter(|line| line.starts_with("| ")) {
        let columns: Vec<_> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        let [case, .., tests] = columns[..] else { panic!("no row: {row}") };
        if is_case(case) {
            let tests = tests.split('`').map(str::trim).filter(|test| !test.is_empty()).map(str::to_owned).collect();
            assert!(cases.insert(case.to_owned(), tests).is_none(), "{case} stands twice");
        }
    }
    cases
}

/// A capital and a number.
fn is_case(text: &str) -> bool {
    let mut letters = text.chars();
    letters.next().is_some_and(|first| "RDUCPOE".contains(first))
        && text.len() > 1
        && letters.all(|digit| digit.is_ascii_digit())
}

/// Tests by case, as the comments above the tests have them: `/// R1, D2: and why`.
fn references(folder: &Path, found: &mut BTreeMap<String, BTreeSet<String>>) {
    for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            references(&path, found);
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let lines: Vec<_> = text.lines().map(str::trim).collect();
        for (n, line) in lines.iter().enumerate() {
            let Some(comment) = line.strip_prefix("/// ") else { continue };
            let cases = comment.split(':').next().unwrap().split(", ").filter(|word| is_case(word));
            let rest = lines[n..].iter().find(|line| !line.starts_with(['/', '#'])).unwrap();
            let name = rest.trim_start_matches("fn ").split(['(', ':']).next().unwrap();
            cases.for_each(|case| assert!(found.entry(case.to_owned()).or_default().insert(name.to_owned()), "{name}"));
        }
    }
}

#[test]
fn each_case_has_its_tests_and_each_reference_its_case() {
    let mut found = BTreeMap::new();
    references(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it"), &mut found);
    let table = table();
    assert!(table.len() > 40, "{}", table.len());
    for (case, tests) in &table {
        assert_eq!(Some(tests), found.get(case), "{case}");
    }
    for (case, tests) in &found {
        assert!(table.contains_key(case), "{tests:?} refer to {case}, which tests/cases.md does not have");
    }
}
