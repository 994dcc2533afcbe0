//! A union, or an outer join, of datasets that not every node holds.

use super::*;

/// A node that holds one of the two has rows that count, and can be asked neither for both nor be passed over.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_holds_part_of_a_union_is_not_passed_over() {
    let dir = tempfile::tempdir().unwrap();
    let mut nodes = rows(dir.path());
    for node in nodes.iter_mut().filter(|node| node.id == "camden") {
        node.datasets.retain(|dataset| dataset.dataset != "damp_case");
    }
    let builder = Federation::builder(dir.path(), nodes).policy(Policy::Open).timeout_seconds(LIMIT);
    let federation = builder.start().await.unwrap();
    federation.wait_until_up(NODES.len()).await.unwrap();
    let union = "SELECT COUNT(*) FROM (SELECT node, uprn_key FROM property UNION ALL SELECT node, uprn_key FROM damp_case) AS u";
    let outer = "SELECT COUNT(*) FROM property AS p LEFT JOIN damp_case AS d ON d.node = p.node AND d.uprn_key = p.uprn_key";
    for sql in [union, outer] {
        let problem = ask(&federation, sql, Asking::default()).await.unwrap_err();
        assert!(
            problem.message.contains("camden") && problem.message.contains("holds no damp_case"),
            "{problem}"
        );
        let partial = ask(&federation, sql, PARTIAL).await.unwrap();
        assert!(partial.caveats().join("\n").contains("camden"), "{}", partial.notes["caveats"]);
    }
    let inner = outer.replace("LEFT JOIN", "JOIN");
    ask(&federation, &inner, Asking::default()).await.unwrap();
    let apart = "SELECT SUM(n) FROM (SELECT COUNT(*) AS n FROM property UNION ALL SELECT COUNT(*) FROM damp_case) AS u";
    ask(&federation, apart, Asking::default()).await.unwrap();
    federation.stop().await.unwrap();
}
