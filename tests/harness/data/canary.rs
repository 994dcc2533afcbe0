//! Values planted in rows that must never be seen outside a node: the proof that nothing leaves.

use super::Result;
use super::london::London;
use super::table::{Cell, Dataset};

/// One planted value.
#[derive(Debug, Clone, PartialEq)]
pub struct Canary {
    /// id of the node it is at
    pub node: String,
    /// dataset it is in
    pub dataset: &'static str,
    /// column it is in
    pub column: &'static str,
    /// the value
    pub value: Value,
}

/// What was planted.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// in a text column
    Text(String),
    /// in a double column
    Double(f64),
    /// in a bigint column
    Long(i64),
    /// in a decimal column of scale 2: the number without its point
    Decimal(i128),
}

/// A rare number: exact in binary, so that its eight bytes are known.
const RARE_DOUBLE: f64 = 987_654_321.125;
/// A rare income, a little different at every node.
const RARE_LONG: i64 = 1_234_567_890_123;
const RARE_PENCE: i128 = 98_765_432;

/// The row of marks of one node.
struct Marks {
    name: String,
    nino: String,
    person: String,
    ward: String,
    double: f64,
    long: i64,
    pence: i128,
}

impl Marks {
    fn of(node: usize) -> Self {
        let number = u32::try_from(node).unwrap_or_default();
        Self {
            name: format!("Zebedee Quillfeather {number:02}"),
            nino: format!("QQ1234{number:02}C"),
            person: format!("canarykey{number:02}qzx"),
            ward: format!("Quillfeather Rookery {number:02}"),
            double: RARE_DOUBLE + f64::from(number),
            long: RARE_LONG + i64::from(number),
            pence: RARE_PENCE + i128::from(number),
        }
    }
}

/// Everything that [`plant`] plants.
pub(super) fn all(london: &London) -> Vec<Canary> {
    let mut canaries = Vec::new();
    for (index, (id, _)) in london.nodes().enumerate() {
        let Marks { name, nino, person, ward, double, long, pence } = Marks::of(index);
        let text = Value::Text;
        let list: Vec<(&'static str, &'static str, Value)> = if index < london.first_charity() {
            vec![
                ("rough_sleeping_contact", "person_key", text(person.clone())),
                ("rough_sleeping_contact", "full_name", text(name.clone())),
                ("rough_sleeping_contact", "nino", text(nino.clone())),
                ("homelessness_case", "case_id", text(person.clone())),
                ("homelessness_case", "monthly_income", Value::Double(double)),
                ("homelessness_case", "full_name", text(name.clone())),
                ("homelessness_case", "nino", text(nino.clone())),
                ("school_census_pupil", "child_key", text(person.clone())),
                ("school_census_pupil", "full_name", text(name.clone())),
                ("benefit_child", "child_key", text(person.clone())),
                ("benefit_child", "full_name", text(name.clone())),
                ("benefit_child", "nino", text(nino)),
                ("property", "uprn_key", text(person.clone())),
                ("property", "ward", text(ward)),
                ("property", "rebuild_cost", Value::Long(long)),
                ("property", "address", text(name)),
                ("sensor_reading", "sensor_id", text(person)),
                ("sensor_reading", "temp_c", Value::Double(double)),
            ]
        } else {
            vec![
                ("accommodation_stay", "person_key", text(person)),
                ("accommodation_stay", "full_name", text(name)),
                ("accommodation_stay", "nino", text(nino)),
                ("accommodation_stay", "weekly_charge", Value::Decimal(pence % 1_000_000)),
            ]
        };
        canaries.extend(list.into_iter().map(|(dataset, column, value)| Canary {
            node: id.to_owned(),
            dataset,
            column,
            value,
        }));
    }
    canaries
}

/// One row for each node and dataset of [`all`].
pub(super) fn plant(datasets: &mut [Dataset], london: &London) -> Result<()> {
    for dataset in datasets {
        let charities = dataset.name == "accommodation_stay";
        let (first, last) = if charities {
            (london.first_charity(), london.first_charity() + 8)
        } else {
            (0, london.first_charity())
        };
        for node in first..last {
            let gss = london.borough(if charities { 0 } else { node })?.gss.clone();
            let marks = Marks::of(node);
            if let Some(row) = row(dataset.name, &marks, &gss) {
                dataset.push(node, &row)?;
            }
        }
    }
    Ok(())
}

fn row<'a>(dataset: &str, marks: &'a Marks, gss: &'a str) -> Option<Vec<Cell<'a>>> {
    use Cell::{Bool, Date, Float, Int, Long, Null, Pence, Text, Time};
    let (key, name, nino) = (Text(&marks.person), Text(&marks.name), Text(&marks.nino));
    let day = Date(20_400);
    Some(match dataset {
        "rough_sleeping_contact" => {
            vec![key, Text(gss), day, Text("new"), Text("56+"), Text("other"), Text("UK"), name, nino]
        }
        "homelessness_case" => {
            let mut row = vec![key, key, Text(gss), day, Text("main")];
            row.extend([Null; 6]);
            row.extend([Float(marks.double), name, nino]);
            row
        }
        "school_census_pupil" => {
            vec![key, Int(900_001), Text(gss), Text(gss), Int(11), Bool(true), Date(20_468), name]
        }
        "benefit_child" => {
            vec![key, Text(gss), Text("housing benefit"), Bool(true), Date(20_454), name, nino]
        }
        "property" => {
            let ward = Text(&marks.ward);
            vec![key, Text(gss), ward, Null, Text("timber frame"), Null, Int(9), Long(marks.long), name]
        }
        "sensor_reading" => {
            vec![key, Text(gss), Time(1_767_225_600_000_000), Float(marks.double), Null]
        }
        "accommodation_stay" => {
            let charge = Pence(marks.pence % 1_000_000);
            vec![key, Text(gss), Text("hostel"), day, Null, Null, charge, name, nino]
        }
        _ => return None,
    })
}
