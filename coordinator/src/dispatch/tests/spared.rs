//! Which conditions spare a node that declares `kind IN ('bolt', 'nut')`.

use jigsaw_proto::expr::{Literal, UnaryOp};
use jigsaw_proto::fragment::{Join, JoinKind};
use jigsaw_proto::release::{DeclaredKeys, Key};
use jigsaw_proto::types::DataType as Type;

use super::*;

fn view() -> NodeView {
    let values = ["bolt", "nut"].map(|value| Key::Text(value.to_owned())).into();
    let only = vec![DeclaredKeys { column: "kind".to_owned(), values }];
    let dataset = DatasetView {
        agrees: Ok(()),
        mode: ReleaseMode::Open,
        threshold: 0,
        rounding: 1,
        rules: vec![],
        cells_per_day: None,
        only,
    };
    let (id, address, identity) = ("one".parse().unwrap(), String::new(), String::new());
    NodeView {
        status: NodeStatus::Up,
        described: true,
        datasets: BTreeMap::from([("thing".parse().unwrap(), dataset)]),
        ..NodeView::unknown(&NodeEntry { id, address, identity })
    }
}

fn column(relation: &str, name: &str) -> Expr {
    Expr::Column(Column::new(relation, name))
}

fn kind(op: BinaryOp, value: &str) -> Expr {
    column("thing", "kind").binary(op, Expr::Literal(Literal::text(value)))
}

fn listed(values: &[Option<&str>], negated: bool) -> Expr {
    let literal = |value: Option<&str>| {
        value.map_or_else(|| Literal::new(Type::Text, None), |text| Some(Literal::text(text)))
    };
    let list = values.iter().map(|value| literal(*value).unwrap()).collect();
    Expr::InList { operand: Box::new(column("thing", "kind")), list, negated }
}

fn filtered(input: Relation, predicate: Expr) -> Relation {
    Relation::Filter { input: Box::new(input), predicate }
}

#[test]
fn a_test_is_true_of_some_key_or_the_node_is_spared() {
    use BinaryOp::{And, Eq, Gt, GtEq, IsDistinctFrom, IsNotDistinctFrom, Lt, LtEq, NotEq, Or};
    let not = |expr: Expr| expr.unary(UnaryOp::Not);
    let is_null = || column("thing", "kind").unary(UnaryOp::IsNull);
    let unknown = || column("thing", "size").binary(GtEq, Expr::Literal(Literal::text("x")));
    for (predicate, asked) in [
        (kind(Eq, "bolt"), true),
        (kind(Eq, "Bolt"), false),
        (kind(NotEq, "bolt"), true),
        (kind(GtEq, "zzz"), false),
        (kind(GtEq, "nut"), true),
        (kind(Gt, "nut"), false),
        (kind(Lt, "bolt"), false),
        (kind(LtEq, "bolt"), true),
        (Expr::Literal(Literal::text("nut")).binary(Lt, column("thing", "kind")), false),
        (Expr::Literal(Literal::text("bolt")).binary(Lt, column("thing", "kind")), true),
        (kind(Lt, "a").unary(UnaryOp::IsNotTrue), true),
        (kind(GtEq, "a").unary(UnaryOp::Not), false),
        (listed(&[Some("nail"), Some("nut")], false), true),
        (listed(&[Some("nail"), None], false), false),
        (not(listed(&[Some("nail"), None], false)), false),
        (listed(&[Some("bolt"), Some("nut")], true), false),
        (listed(&[Some("bolt")], true), true),
        (listed(&[Some("bolt"), None], true), false),
        (is_null(), false),
        (not(is_null()), true),
        (kind(IsNotDistinctFrom, "nail"), false),
        (kind(IsDistinctFrom, "nail"), true),
        (kind(Eq, "nail").binary(Or, kind(Eq, "screw")), false),
        (kind(Eq, "nail").binary(Or, unknown()), true),
        (kind(Eq, "nail").binary(And, unknown()), false),
        (not(kind(Eq, "nail").binary(And, unknown())), true),
        (not(kind(NotEq, "nail").binary(Or, unknown())), false),
        (kind(Eq, "nail").unary(UnaryOp::IsNotTrue), true),
        (kind(Eq, "nail").unary(UnaryOp::IsTrue), false),
        (kind(NotEq, "nail").unary(UnaryOp::IsFalse), false),
    ] {
        let words = predicate.to_string();
        assert_eq!(view().can_have_rows(&filtered(fragment().input, predicate)), asked, "{words}");
    }
    let nail = filtered(fragment().input, kind(Eq, "nail"));
    assert!(NodeView { status: NodeStatus::WrongIdentity, ..view() }.can_have_rows(&nail));
    let mut drifted = view();
    drifted.datasets.values_mut().for_each(|dataset| dataset.agrees = Err(String::new()));
    assert!(drifted.can_have_rows(&nail), "what a node that is left out declares counts for nothing");
}

/// Rows that an outer join leaves over have NULL where the declared column would be; an aggregation without keys has a row always.
#[test]
fn relations_carry_what_is_known_of_their_columns() {
    let scan = |alias: &str| Relation::Scan { dataset: "thing".parse().unwrap(), alias: alias.to_owned() };
    let joined = |kind| {
        let on = vec![(Column::new("thing", "kind"), Column::new("u", "kind"))];
        Relation::Join(Box::new(Join { left: fragment().input, right: scan("u"), kind, on, filter: None }))
    };
    let right_is_null = || column("u", "kind").unary(UnaryOp::IsNull);
    assert!(view().can_have_rows(&filtered(joined(JoinKind::Left), right_is_null())));
    assert!(!view().can_have_rows(&filtered(joined(JoinKind::Inner), right_is_null())));
    let nail = || filtered(fragment().input, kind(BinaryOp::Eq, "nail"));
    let whole =
        |keys| Relation::Aggregate { input: Box::new(nail()), alias: "a".to_owned(), keys, measures: vec![] };
    assert!(view().can_have_rows(&whole(vec![])));
    assert!(!view().can_have_rows(&whole(vec![("k".to_owned(), column("thing", "kind"))])));
    // A column that is called node, and is another.
    let columns = vec![("node".to_owned(), column("thing", "kind"))];
    let named = Relation::Project { input: Box::new(scan("thing")), alias: "p".to_owned(), columns };
    let is = |value: &str| column("p", "node").binary(BinaryOp::Eq, Expr::Literal(Literal::text(value)));
    assert!(view().can_have_rows(&filtered(named.clone(), is("bolt"))));
    assert!(!view().can_have_rows(&filtered(named, is("one"))));
}
