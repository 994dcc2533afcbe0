//! How to connect with the command and with Python.

use harness::federation::Federation;

use super::questions::Question;

/// Prints it.
pub(crate) fn welcome(federation: &Federation, questions: &[Question]) {
    let (address, ca, token) = (federation.address(), federation.ca_file(), federation.token_file());
    let (ca, token) = (ca.display(), token.display());
    println!("\n\u{2500}\u{2500} Ask yourself, while this runs\n");
    println!("With the command jigsaw, which the demo's build has under the name of ask:\n");
    println!("    export JIGSAW_SERVER=https://{address}");
    println!("    export JIGSAW_CA={ca}");
    println!("    export JIGSAW_TOKEN_FILE={token}");
    println!("    cargo run --release --bin ask -- datasets");
    println!("    cargo run --release --bin ask -- query \"SELECT * FROM system.nodes\"");
    println!("\nWith Python (pip install adbc-driver-flightsql pyarrow pandas):\n");
    println!("    import adbc_driver_flightsql, adbc_driver_flightsql.dbapi as flight_sql, pandas");
    println!("    option = adbc_driver_flightsql.DatabaseOptions");
    println!("    connection = flight_sql.connect(\"grpc+tls://{address}\", db_kwargs={{");
    println!("        option.TLS_ROOT_CERTS.value: open(\"{ca}\").read(),");
    println!("        option.AUTHORIZATION_HEADER.value: \"Bearer \" + open(\"{token}\").read()}})");
    let sql = questions.first().map(|question| question.sql).unwrap_or_default();
    let sql = sql.split_whitespace().collect::<Vec<_>>().join(" ");
    println!("    print(pandas.read_sql(\"{sql}\", connection))");
}
