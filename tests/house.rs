//! The house rules, as far as a machine can check them.
#![cfg(test)]

use std::fs;
use std::path::{Path, PathBuf};

const PARTS: [&str; 5] = ["proto", "node", "coordinator", "client", "tests"];
const LONGEST_FILE: usize = 400;
const LONGEST_ROOT: usize = 100;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Every file of the project whose name ends so, but for what is built or generated.
fn files(endings: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders: Vec<PathBuf> = PARTS.iter().map(|part| root().join(part)).collect();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                if !["target", "generated", "__pycache__"].contains(&name.as_str()) {
                    folders.push(path);
                }
            } else if endings.iter().any(|ending| name.ends_with(ending)) {
                found.push(path);
            }
        }
    }
    assert!(!found.is_empty(), "no file ends in {endings:?}");
    found.sort();
    found
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[track_caller]
fn none(problems: &[String]) {
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn no_file_is_longer_than_a_reader_likes() {
    let mut problems = Vec::new();
    for path in files(&[".rs"]) {
        let lines = text(&path).lines().count();
        let most = if path.ends_with("src/lib.rs") { LONGEST_ROOT } else { LONGEST_FILE };
        if lines > most {
            problems.push(format!("{} has {lines} lines, at most {most}", path.display()));
        }
    }
    none(&problems);
}

#[test]
fn every_module_is_named_for_what_it_is() {
    let shy = ["util", "utils", "helper", "helpers", "common", "misc", "mod"];
    let stem = |path: &PathBuf| path.file_stem().unwrap().to_string_lossy().into_owned();
    let problems = files(&[".rs"]).into_iter().filter(|path| shy.contains(&stem(path).as_str()));
    none(&problems.map(|path| format!("{} says nothing", path.display())).collect::<Vec<_>>());
}

/// `instrument` records every argument unless it is told not to, which here would be a disclosure.
#[test]
fn every_instrument_skips_all_arguments() {
    let mut problems = Vec::new();
    for path in files(&[".rs"]) {
        let text = text(&path);
        for (number, line) in (1..).zip(text.lines()) {
            let attribute = line.trim_start();
            let instruments =
                attribute.starts_with("#[instrument") || attribute.starts_with("#[tracing::instrument");
            if instruments && !attribute.contains("(skip_all") {
                problems.push(format!("{}:{number}: {attribute}", path.display()));
            }
        }
    }
    none(&problems);
}

/// Whoever reads the project was not there when it was written.
#[test]
fn no_file_names_the_place_it_was_written_at() {
    let places =
        [concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("iss", "ue 2"), concat!("hel", "per session")];
    let mut problems = Vec::new();
    let mut all = files(&[".rs", ".md", ".toml", ".slt", ".py", ".proto", ".sql"]);
    all.extend(
        ["README.md", "CHANGELOG.md", "Cargo.toml", "tests/run", ".ci/run"].map(|name| root().join(name)),
    );
    for path in all {
        let text = text(&path);
        for place in places.iter().filter(|place| text.contains(**place)) {
            problems.push(format!("{} says {place}", path.display()));
        }
    }
    none(&problems);
}

/// One table of versions, in the root.
#[test]
fn members_take_their_dependencies_from_the_workspace() {
    let mut problems = Vec::new();
    for part in PARTS {
        let manifest: toml::Table = text(&root().join(part).join("Cargo.toml")).parse().unwrap();
        for table in ["dependencies", "dev-dependencies", "build-dependencies"] {
            for (name, value) in manifest.get(table).and_then(toml::Value::as_table).into_iter().flatten() {
                let from_workspace = value.get("workspace").and_then(toml::Value::as_bool) == Some(true);
                if !from_workspace && name != "hyper-util" {
                    problems.push(format!("{part}/Cargo.toml: {name} has a version of its own"));
                }
            }
        }
        let lints = manifest.get("lints").and_then(|lints| lints.get("workspace"));
        if lints.and_then(toml::Value::as_bool) != Some(true) {
            problems.push(format!("{part}/Cargo.toml does not take the workspace's lints"));
        }
    }
    none(&problems);
}

/// The name and version of every package of a lock file.
fn locked(file: &str) -> Vec<(String, String)> {
    let lock: toml::Table = text(&root().join(file)).parse().unwrap();
    let word = |package: &toml::Value, key: &str| package[key].as_str().unwrap().to_owned();
    let packages = lock["package"].as_array().unwrap().iter();
    packages.map(|package| (word(package, "name"), word(package, "version"))).collect()
}

/// What is fuzzed is what runs.
#[test]
fn the_fuzzers_lock_what_the_workspace_locks() {
    let (ours, fuzzers) = (locked("Cargo.lock"), locked("tests/fuzz/Cargo.lock"));
    let beside = ["arbitrary", "jigsaw-fuzz", "libfuzzer-sys"];
    let others = fuzzers.iter().filter(|package| !beside.contains(&package.0.as_str()));
    let differ = others.clone().filter(|package| !ours.contains(package));
    let missing = ours.iter().filter(|package| !fuzzers.contains(package));
    let differ: Vec<String> =
        differ.chain(missing).map(|(name, version)| format!("{name} {version}")).collect();
    assert!(
        differ.is_empty(),
        "tests/fuzz/Cargo.lock is old: cp Cargo.lock tests/fuzz/ && cargo metadata --manifest-path tests/fuzz/Cargo.toml --format-version 1 > /dev/null\n{}",
        differ.join("\n")
    );
}

/// The node and the coordinator do not know each other: what both must agree on is in `proto`.
#[test]
fn parties_do_not_know_each_other() {
    let dependencies = |part: &str| {
        let manifest: toml::Table = text(&root().join(part).join("Cargo.toml")).parse().unwrap();
        let own = manifest["dependencies"].as_table().unwrap().keys();
        own.filter(|name| name.starts_with("jigsaw-")).cloned().collect::<Vec<_>>()
    };
    assert_eq!(dependencies("proto"), [""; 0]);
    assert_eq!(dependencies("node"), ["jigsaw-proto"]);
    assert_eq!(dependencies("coordinator"), ["jigsaw-proto"]);
    assert_eq!(dependencies("client"), [""; 0]);
}

/// An example that does not parse teaches the wrong thing.
#[test]
fn example_configurations_are_accepted() {
    let node = root().join("node/node.example.toml");
    let coordinator = root().join("coordinator/coordinator.example.toml");
    let dir = tempfile::tempdir().unwrap();
    for (name, example) in [("node.toml", &node), ("coordinator.toml", &coordinator)] {
        surround(dir.path(), &text(example));
        fs::copy(example, dir.path().join(name)).unwrap();
    }
    jigsaw_node::Settings::load(&dir.path().join("node.toml")).unwrap();
    jigsaw_coordinator::Settings::load(&dir.path().join("coordinator.toml")).unwrap();
}

/// Puts there what an example refers to: certificates, contracts, a list of analysts.
fn surround(dir: &Path, example: &str) {
    let party = harness::certificates::Authority::new().unwrap().sign(&["localhost"]).unwrap();
    for (_, name) in example.lines().filter_map(|line| line.trim_start_matches("# ").split_once(" = \"")) {
        let Some((name, _)) = name.split_once('"') else { continue };
        if name.contains("://") {
            continue;
        }
        let path = dir.join(name);
        let make = |text: &str| {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, text).unwrap();
        };
        match name.rsplit_once('.').map(|(_, ending)| ending) {
            Some("pem") => make(&party.certificate),
            Some("key") => make(&party.key),
            _ if name.starts_with("contracts/") => {
                fs::create_dir_all(dir.join("contracts")).unwrap();
                for (contract, text) in harness::data::contracts() {
                    fs::write(dir.join(format!("contracts/{contract}.toml")), text).unwrap();
                }
            }
            Some("toml") => {
                make(&format!("[[analyst]]\nname = \"ada\"\ntoken_sha256 = \"{}\"\n", "0".repeat(64)));
            }
            _ => {}
        }
    }
}
