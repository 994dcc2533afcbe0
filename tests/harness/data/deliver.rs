//! Files as the nodes hold them: mostly in the contract's shape, some in a shape of their own with the way back.

use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, Date32Array, Float64Array, RecordBatch, StringArray};
use arrow::csv::WriterBuilder;
use arrow::datatypes::{DataType, Field, Schema};
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;

use super::dice::rounded;
use super::table::contract;
use super::{DatasetFiles, Format, Result};

/// How a node holds a dataset.
enum Shape {
    /// one Parquet file in the contract's shape
    Plain,
    /// the same, larger than the files whose rows a node keeps in memory
    Large,
    /// two of them in a folder
    Parts,
    /// CSV in the contract's shape
    Csv { delimiter: char, null: &'static str },
    /// other names, units, codes or dates
    Mapped { csv: bool, columns: &'static [Theirs] },
}

/// One column under another name, in another form.
struct Theirs {
    ours: &'static str,
    name: &'static str,
    form: Form,
}

/// The form of a column that is not the contract's.
#[derive(Clone, Copy)]
enum Form {
    Same,
    /// ours, theirs
    Codes(&'static [(&'static str, &'static str)]),
    DayMonthYear,
    Fahrenheit,
    YesNo,
}

const fn theirs(ours: &'static str, name: &'static str, form: Form) -> Theirs {
    Theirs { ours, name, form }
}

const CAMDEN: [Theirs; 5] = [
    theirs("person_key", "Client Ref", Form::Same),
    theirs("contact_date", "Contact Date", Form::DayMonthYear),
    theirs(
        "category",
        "Status",
        Form::Codes(&[
            ("new", "New rough sleeper"),
            ("living_on_streets", "Living on the streets"),
            ("intermittent", "Intermittent rough sleeper"),
        ]),
    ),
    theirs("gender", "Gender", Form::Codes(&[("male", "M"), ("female", "F"), ("other", "X")])),
    theirs("full_name", "Client Name", Form::Same),
];
const HACKNEY: [Theirs; 2] =
    [theirs("temp_c", "temp_f", Form::Fahrenheit), theirs("rh_pct", "humidity", Form::Same)];
const LAMBETH: [Theirs; 3] = [
    theirs("fsm_claimed", "FSMeligible", Form::YesNo),
    theirs("year_group", "NCyearActual", Form::Same),
    theirs("census_date", "CensusDate", Form::DayMonthYear),
];
const GREENWICH: [Theirs; 3] = [
    theirs("reported_on", "date_reported", Form::DayMonthYear),
    theirs("investigated_on", "investigation_completed_date", Form::DayMonthYear),
    theirs(
        "severity",
        "severity_id",
        Form::Codes(&[("emergency", "1"), ("significant", "2"), ("minor", "3")]),
    ),
];
const SOUTHWARK: [Theirs; 6] = [
    theirs("site_code", "@SiteCode", Form::Same),
    theirs("borough_gss", "@LocalAuthorityName", Form::Codes(&[("E09000028", "Southwark")])),
    theirs(
        "measure",
        "@SpeciesCode",
        Form::Codes(&[
            ("NO2", "NO2"),
            ("PM10", "PM10"),
            ("temp_out", "TMP"),
            ("traffic_flow", "TRAF"),
            ("river_level", "LEVEL"),
        ]),
    ),
    theirs(
        "unit",
        "@Units",
        Form::Codes(&[("µg/m3", "ug m-3"), ("°C", "deg C"), ("vehicles/h", "veh/h"), ("m", "m")]),
    ),
    theirs("ts", "@MeasurementDateGMT", Form::Same),
    theirs("value", "@Value", Form::Same),
];

fn shape(node: &str, dataset: &str) -> Shape {
    match (node, dataset) {
        ("brent", "rough_sleeping_contact") => Shape::Parts,
        ("croydon", "homelessness_case") => Shape::Csv { delimiter: ';', null: "NULL" },
        ("barnet", "property") | ("thamesbank-shelter", "accommodation_stay") => {
            Shape::Csv { delimiter: ',', null: "" }
        }
        ("camden", "rough_sleeping_contact") => Shape::Mapped { csv: true, columns: &CAMDEN },
        ("hackney", "sensor_reading") => Shape::Mapped { csv: false, columns: &HACKNEY },
        ("lambeth", "school_census_pupil") => Shape::Mapped { csv: false, columns: &LAMBETH },
        ("greenwich", "damp_case") => Shape::Mapped { csv: false, columns: &GREENWICH },
        ("southwark", "env_reading") => Shape::Mapped { csv: true, columns: &SOUTHWARK },
        ("islington" | "newham", _) => Shape::Large,
        _ => Shape::Plain,
    }
}

/// Writes a dataset's rows into the node's folder.
pub(super) fn deliver(
    folder: &Path,
    node: &str,
    dataset: &'static str,
    batch: &RecordBatch,
) -> Result<DatasetFiles> {
    let parquet = format!("data/{dataset}.parquet");
    let text = format!("data/{dataset}.csv");
    let (source, format, select) = match shape(node, dataset) {
        Shape::Plain => {
            write_parquet(&folder.join(&parquet), batch)?;
            (parquet, Format::Parquet, None)
        }
        Shape::Large => {
            write_padded(&folder.join(&parquet), batch, 1024 * 1024)?;
            (parquet, Format::Parquet, None)
        }
        Shape::Parts => {
            fs::create_dir_all(folder.join("data").join(dataset))?;
            let half = batch.num_rows() / 2;
            let parts = [batch.slice(0, half), batch.slice(half, batch.num_rows() - half)];
            for (number, part) in parts.iter().enumerate() {
                write_parquet(&folder.join(format!("data/{dataset}/part-{number}.parquet")), part)?;
            }
            (format!("data/{dataset}/*.parquet"), Format::Parquet, None)
        }
        Shape::Csv { delimiter, null } => {
            let mut bytes = Vec::new();
            let builder = WriterBuilder::new().with_delimiter(u8::try_from(delimiter)?);
            builder.with_null(null.to_owned()).build(&mut bytes).write(batch)?;
            fs::write(folder.join(&text), bytes)?;
            (text, Format::Csv { delimiter, null_values: vec![null.to_owned()] }, None)
        }
        Shape::Mapped { csv, columns } => {
            let (batch, select) = mapped(dataset, batch, columns, csv)?;
            if csv {
                fs::write(folder.join(&text), csv_bytes(&batch, b',')?)?;
                (text, Format::Csv { delimiter: ',', null_values: vec![String::new()] }, Some(select))
            } else {
                write_parquet(&folder.join(&parquet), &batch)?;
                (parquet, Format::Parquet, Some(select))
            }
        }
    };
    Ok(DatasetFiles { dataset, contract: format!("{dataset}.toml"), source, format, select })
}

/// One Parquet file; the same rows give the same bytes.
pub(super) fn write_parquet(path: &Path, batch: &RecordBatch) -> Result<()> {
    write_padded(path, batch, 0)
}

/// The same, with a remark of so many bytes.
fn write_padded(path: &Path, batch: &RecordBatch, padding: usize) -> Result<()> {
    let remark = (padding > 0).then(|| vec![KeyValue::new("remark".to_owned(), "-".repeat(padding))]);
    let properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_key_value_metadata(remark)
        .set_created_by("synthetic data".to_owned())
        .build();
    let mut writer = ArrowWriter::try_new(File::create(path)?, batch.schema(), Some(properties))?;
    writer.write(batch)?;
    writer.close()?;
    Ok(())
}

/// CSV with a header; NULL is the empty field.
pub(super) fn csv_bytes(batch: &RecordBatch, delimiter: u8) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    WriterBuilder::new().with_delimiter(delimiter).build(&mut bytes).write(batch)?;
    Ok(bytes)
}

/// The rows in the node's own shape, and the select that leads back.
fn mapped(
    dataset: &str,
    batch: &RecordBatch,
    columns: &[Theirs],
    csv: bool,
) -> Result<(RecordBatch, String)> {
    let contract = contract(dataset)?;
    let (mut fields, mut arrays, mut select) = (Vec::new(), Vec::new(), Vec::new());
    for (column, array) in contract.columns.iter().zip(batch.columns()) {
        let ours = column.name.as_str();
        let theirs = columns.iter().find(|theirs| theirs.ours == ours);
        let (name, form) = theirs.map_or((ours, Form::Same), |theirs| (theirs.name, theirs.form));
        let array = reform(array, form)?;
        let back = match form {
            Form::Same if csv && *array.data_type() != DataType::Utf8 => {
                format!("CAST(\"{name}\" AS {})", column.data_type)
            }
            Form::Fahrenheit if csv => back(&format!("CAST(\"{name}\" AS DOUBLE)"), form),
            _ => back(&format!("\"{name}\""), form),
        };
        select.push(format!("{back} AS {ours}"));
        fields.push(Field::new(name, array.data_type().clone(), true));
        arrays.push(array);
    }
    let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)?;
    Ok((batch, format!("SELECT {} FROM source", select.join(", "))))
}

fn back(name: &str, form: Form) -> String {
    match form {
        Form::Same => name.to_owned(),
        Form::Codes(codes) => {
            let whens: Vec<String> =
                codes.iter().map(|(ours, theirs)| format!("WHEN '{theirs}' THEN '{ours}'")).collect();
            format!("CASE {name} {} END", whens.join(" "))
        }
        Form::DayMonthYear => format!("to_date({name}, '%d/%m/%Y')"),
        Form::Fahrenheit => format!("round(({name} - 32.0) * 5.0 / 9.0, 2)"),
        Form::YesNo => format!("{name} = 'Y'"),
    }
}

fn reform(array: &ArrayRef, form: Form) -> Result<ArrayRef> {
    let wrong = "a column has another type than its form needs";
    let any = array.as_any();
    Ok(match form {
        Form::Same => Arc::clone(array),
        Form::Codes(codes) => {
            let texts = any.downcast_ref::<StringArray>().ok_or(wrong)?;
            let code = |text: &str| codes.iter().find(|(ours, _)| *ours == text).map(|(_, theirs)| *theirs);
            Arc::new(texts.iter().map(|text| text.and_then(code)).collect::<StringArray>())
        }
        Form::DayMonthYear => {
            let dates = any.downcast_ref::<Date32Array>().ok_or(wrong)?;
            let text = |row| {
                let date = dates.is_valid(row).then(|| dates.value_as_date(row)).flatten();
                date.map(|date| date.format("%d/%m/%Y").to_string())
            };
            Arc::new((0..dates.len()).map(text).collect::<StringArray>())
        }
        Form::Fahrenheit => {
            let degrees = any.downcast_ref::<Float64Array>().ok_or(wrong)?;
            let fahrenheit = |celsius: f64| rounded(celsius * 9.0 / 5.0 + 32.0, 2);
            Arc::new(degrees.iter().map(|celsius| celsius.map(fahrenheit)).collect::<Float64Array>())
        }
        Form::YesNo => {
            let answers = any.downcast_ref::<BooleanArray>().ok_or(wrong)?;
            let word = |yes: bool| if yes { "Y" } else { "N" };
            Arc::new(answers.iter().map(|answer| answer.map(word)).collect::<StringArray>())
        }
    })
}
