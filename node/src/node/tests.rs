//! Datasets and policies are read again together or not at all, and a question under way is answered under those it began with.

use std::fmt::Write as _;
use std::fs;
use std::process::Command;
use std::time::Duration;

use jigsaw_proto::release::ReleaseMode;

use super::*;
use crate::authorise::authorise;
use crate::pipeline::tests::{Bench, by_ward, contracts, ticket};
use crate::validate::validate;

/// A bench with the files that its configuration would have been read from; `meal` has its policy in a file of its own.
async fn bench() -> Bench {
    let bench = Bench::open().await;
    let mut text = "node = { id = \"camden\", title = \"Camden\", listen = \"127.0.0.1:0\" }\n\
        tls = { certificate = \"a\", key = \"b\", client_ca = \"c\" }\naudit = { file = \"d\" }\n\
        coordinator = [{ identity = \"coordinator.example\" }]\n"
        .to_owned();
    for (name, contract) in contracts() {
        fs::write(bench.dir.path().join(format!("{name}.toml")), contract).unwrap();
        let policy = match name {
            "stay" => "policy = { release = \"protected\" }",
            "meal" => "policy = \"meal.policy.toml\"",
            _ => "policy = { release = \"open\" }",
        };
        writeln!(text, "[[dataset]]\ncontract = \"{name}.toml\"\nsource = \"{name}.parquet\"\n{policy}")
            .unwrap();
    }
    fs::write(bench.dir.path().join("node.toml"), text).unwrap();
    write(&bench, "meal.policy.toml", "release = \"protected\"\n");
    bench
}

fn write(bench: &Bench, file: &str, text: &str) {
    fs::write(bench.dir.path().join(file), text).unwrap();
}

/// Puts `new` in the place of `old` in the configuration.
fn edit(bench: &Bench, old: &str, new: &str) {
    let text = fs::read_to_string(bench.dir.path().join("node.toml")).unwrap();
    assert!(text.contains(old), "{text}");
    write(bench, "node.toml", &text.replace(old, new));
}

fn thresholds(node: &Node) -> Vec<u32> {
    node.datasets().values().map(|dataset| dataset.policy().threshold()).collect()
}

#[tokio::test]
async fn policies_are_read_again() {
    let bench = bench().await;
    edit(&bench, "{ release = \"protected\" }", "{ release = \"protected\", threshold = 20 }");
    write(&bench, "meal.policy.toml", "release = \"protected\"\nthreshold = 30\n");
    assert_eq!(thresholds(&bench.node), [10, 0, 10], "meal, site, stay");
    bench.node.reload().await.unwrap();
    assert_eq!(thresholds(&bench.node), [30, 0, 20]);
}

/// The good one is not put in force when the other is bad, and the log gets file and line.
#[tokio::test]
async fn a_bad_file_leaves_the_whole_set_in_force() {
    let bench = bench().await;
    edit(&bench, "{ release = \"protected\" }", "{ release = \"protected\", threshold = 20 }");
    for (text, place) in [
        ("release = \"protected\"\n\nthreshold = 9\n", "meal.policy.toml:3: "),
        ("release = \"protected\"\nthreshhold = 11\n", "meal.policy.toml:2: "),
        ("release = \"protected\"\nthreshold = \n", "meal.policy.toml:2: "),
        ("release = \"open\"\n", "meal.policy.toml:1: "),
        ("", "meal.policy.toml"),
    ] {
        write(&bench, "meal.policy.toml", text);
        let problem = bench.node.reload().await.unwrap_err().to_string();
        assert!(problem.contains(place), "{problem}");
        assert!(!problem.contains('\n'), "one line: {problem}");
        assert_eq!(thresholds(&bench.node), [10, 0, 10]);
    }
    fs::remove_file(bench.dir.path().join("meal.policy.toml")).unwrap();
    assert!(bench.node.reload().await.is_err());
    write(&bench, "meal.policy.toml", "release = \"protected\"\n");
    edit(&bench, "threshold = 20", "threshold = 20, thresholds = 5");
    let problem = bench.node.reload().await.unwrap_err().to_string();
    assert!(problem.contains("node.toml:8: ") && problem.contains("thresholds"), "{problem}");
    assert_eq!(thresholds(&bench.node), [10, 0, 10]);
}

fn names(node: &Node) -> Vec<String> {
    node.datasets().keys().map(ToString::to_string).collect()
}

/// A new dataset is served without a restart, and one that is taken out is served no more.
#[tokio::test]
async fn a_reload_adds_and_removes_datasets() {
    let bench = bench().await;
    let config = fs::read_to_string(bench.dir.path().join("node.toml")).unwrap();
    let contract = fs::read_to_string(bench.dir.path().join("stay.toml")).unwrap();
    write(&bench, "visit.toml", &contract.replace("name = \"stay\"", "name = \"visit\""));
    let visit = "[[dataset]]\ncontract = \"visit.toml\"\nsource = \"visit.parquet\"\npolicy = { release = \"protected\" }\n";
    write(&bench, "node.toml", &format!("{config}{visit}"));
    let problem = bench.node.reload().await.unwrap_err().to_string();
    assert!(problem.contains("visit") && !problem.contains('\n'), "there is no file yet: {problem}");
    assert_eq!(names(&bench.node), ["meal", "site", "stay"]);
    fs::copy(bench.dir.path().join("stay.parquet"), bench.dir.path().join("visit.parquet")).unwrap();
    bench.node.reload().await.unwrap();
    assert_eq!(names(&bench.node), ["meal", "site", "stay", "visit"]);
    let (fewer, _) = config.rsplit_once("[[dataset]]").unwrap();
    write(&bench, "node.toml", fewer);
    bench.node.reload().await.unwrap();
    assert_eq!(names(&bench.node).len(), 2);
}

/// What a dataset promises does not change by a signal.
#[tokio::test]
async fn a_reload_changes_no_contract() {
    let bench = bench().await;
    let contract = fs::read_to_string(bench.dir.path().join("stay.toml")).unwrap();
    write(&bench, "stay.toml", &contract.replace("threshold = 10", "threshold = 2"));
    assert!(matches!(bench.node.reload().await, Err(ReloadError::Contract(_))));
}

/// Another mapping of the same files is another table: no plan and no release of the old one serves it.
#[tokio::test]
async fn a_reload_reads_files_another_way() {
    let bench = bench().await;
    bench.node.reload().await.unwrap();
    let before = bench.wards().await;
    assert_eq!(before, [None, Some("big"), Some("edge")].map(|ward| ward.map(str::to_owned)));
    let select = "SELECT person, 'all' AS ward, beds, cost, temp, note FROM source";
    edit(&bench, "source = \"stay.parquet\"", &format!("source = \"stay.parquet\"\nselect = \"{select}\""));
    bench.node.reload().await.unwrap();
    assert_eq!(bench.wards().await, [Some("all".to_owned())]);
}

/// Declared keys are a filter, whatever the files hold; coordinators are told them, and a reload with others is another table.
#[tokio::test]
async fn a_reload_changes_declared_keys() {
    let bench = bench().await;
    let only = |keys: &str| format!("source = \"stay.parquet\"\nonly = {keys}");
    let mut now = "source = \"stay.parquet\"".to_owned();
    for (keys, sql, wards) in [
        ("{ ward = [\"big\"] }", "ward IN ('big')", &["big"][..]),
        ("{ ward = [\"big\", \"edge\", \"x\"] }", "ward IN ('big', 'edge', 'x')", &["big", "edge"]),
        ("{ ward = [\"BIG\", \"edge\"] }", "ward IN ('BIG', 'edge')", &["edge"]),
    ] {
        edit(&bench, &now, &only(keys));
        now = only(keys);
        bench.node.reload().await.unwrap();
        assert_eq!(
            bench.wards().await,
            wards.iter().map(|ward| Some((*ward).to_owned())).collect::<Vec<_>>()
        );
        let told = NodeDescription::decode(&bench.node.description().encode()).unwrap();
        let told = told.datasets.into_iter().find(|dataset| dataset.name.as_str() == "stay").unwrap().only;
        assert_eq!(told.iter().map(ToString::to_string).collect::<Vec<_>>(), [sql]);
    }
    for (keys, words) in [
        ("{ person = [\"x\"] }", "person is no dimension"),
        ("{ elsewhere = [\"x\"] }", "elsewhere is no dimension"),
        ("{ ward = [1] }", "a value of ward is no VARCHAR"),
        ("{ ward = [true] }", "a value of ward is a TOML boolean"),
        ("{ ward = [] }", "ward has 0 values"),
    ] {
        edit(&bench, &now, &only(keys));
        now = only(keys);
        let problem = bench.node.reload().await.unwrap_err().to_string();
        assert!(
            problem.contains("node.toml: dataset stay: [dataset.only]: ") && problem.contains(words),
            "{problem}"
        );
    }
    assert_eq!(bench.wards().await, [Some("edge".to_owned())], "the keys before stay in force");
}

/// The policy at the beginning decides, and no plan made under it serves a later question.
#[tokio::test]
async fn a_question_keeps_the_policy_it_began_with() {
    let bench = bench().await;
    assert_eq!(bench.wards().await, [None, Some("big"), Some("edge")].map(|ward| ward.map(str::to_owned)));
    let permit = authorise(&ticket(by_ward()), &bench.node.gate, |_| {}).await.unwrap();
    let began = validate(&permit, &bench.node.datasets()).unwrap();
    edit(&bench, "{ release = \"protected\" }", "{ release = \"protected\", threshold = 11 }");
    bench.node.reload().await.unwrap();
    let begins = validate(&permit, &bench.node.datasets()).unwrap();
    assert_eq!((began.threshold(), begins.threshold()), (10, 11));
    assert_ne!(began.plan_key(), begins.plan_key());
    assert_eq!(began.mode(), ReleaseMode::Protected);
    // "edge" is ten people; those without a ward are twelve, and would be ten to a plan that counts up to ten.
    assert_eq!(bench.wards().await, [None, Some("big")].map(|ward| ward.map(str::to_owned)));
}

/// A real signal to this process, through what `serve` listens to.
#[tokio::test]
async fn a_hangup_reloads() {
    let bench = bench().await;
    edit(&bench, "{ release = \"protected\" }", "{ release = \"protected\", threshold = 20 }");
    let hangups = crate::cli::hangups().unwrap();
    let reloading = tokio::spawn(reloading(Arc::clone(&bench.node), hangups));
    let hang_up = || Command::new("kill").args(["-HUP", &std::process::id().to_string()]).status().unwrap();
    assert!(hang_up().success());
    let until = async |thresholds_are: [u32; 3]| {
        while thresholds(&bench.node) != thresholds_are {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), until([10, 0, 20])).await.unwrap();
    // A bad file in between does not end the listening.
    write(&bench, "meal.policy.toml", "nonsense");
    assert!(hang_up().success());
    tokio::time::sleep(Duration::from_millis(50)).await;
    write(&bench, "meal.policy.toml", "release = \"protected\"\nthreshold = 40\n");
    assert!(hang_up().success());
    tokio::time::timeout(Duration::from_secs(20), until([40, 0, 20])).await.unwrap();
    reloading.abort();
}
