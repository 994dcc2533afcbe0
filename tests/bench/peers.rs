//! What the federation is compared with: the same engine in one process over the same files, and DuckDB where Python has it.

use std::path::Path;
use std::process::Command;

use datafusion::prelude::{ParquetReadOptions, SessionConfig, SessionContext};

use crate::rows::{NODES, id};

/// One process, all files, as many partitions as cores, batches as large as the nodes'.
pub(crate) struct DataFusion {
    context: SessionContext,
}

impl DataFusion {
    pub(crate) async fn over(dir: &Path) -> Self {
        let context = SessionContext::new_with_config(SessionConfig::new().with_batch_size(16 * 1024));
        let files = (0..NODES).map(|node| format!("{}/{}/data/env_reading.parquet", dir.display(), id(node)));
        let table =
            context.read_parquet(files.collect::<Vec<_>>(), ParquetReadOptions::default()).await.unwrap();
        context.register_table("env_reading", table.into_view()).unwrap();
        Self { context }
    }

    pub(crate) async fn ask(&self, sql: &str) {
        self.context.sql(sql).await.unwrap().collect().await.unwrap();
    }
}

/// The median time of DuckDB in milliseconds; `None` where `python3 -c "import duckdb"` fails.
pub(crate) fn duckdb(dir: &Path, sql: &str, runs: usize) -> Option<f64> {
    let script = format!(
        "import duckdb, statistics, time\n\
         con = duckdb.connect()\n\
         con.execute(\"CREATE VIEW env_reading AS SELECT * FROM read_parquet('{dir}/*/data/env_reading.parquet')\")\n\
         times = []\n\
         for run in range({runs} + 2):\n    \
             started = time.perf_counter(); con.execute(\"\"\"{sql}\"\"\").fetchall(); times.append(time.perf_counter() - started)\n\
         print(statistics.median(times[2:]) * 1000)",
        dir = dir.display()
    );
    let python = std::env::var("JIGSAW_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let output = Command::new(python).args(["-c", &script]).output().ok()?;
    String::from_utf8_lossy(&output.stdout).trim().parse().ok()
}

/// Resident memory of this process, MiB.
pub(crate) fn resident_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib: f64 = line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0.0);
    kib / 1024.0
}

/// What this process has had of the cores so far, in milliseconds. Linux counts in hundredths of a second.
pub(crate) fn cpu_ms() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The name of the program, in brackets, may hold spaces; user and system time are the 12th and 13th word after it.
    let words = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    words.skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() * 10.0
}
