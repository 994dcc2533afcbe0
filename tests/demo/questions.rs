//! What the tour asks.

use crate::Options;

/// One question.
#[derive(Debug)]
pub(crate) struct Question {
    /// in words
    pub(crate) words: &'static str,
    /// in SQL
    pub(crate) sql: &'static str,
}

const SYNTHETIC: [Question; 5] = [
    Question {
        words: "How many outreach contacts with people sleeping rough, by quarter, and with whom?",
        sql: "SELECT EXTRACT(YEAR FROM contact_date) AS year, EXTRACT(QUARTER FROM contact_date) AS quarter,
       COUNT(*) FILTER (WHERE category = 'new') AS new,
       COUNT(*) FILTER (WHERE category = 'living_on_streets') AS living_on_streets,
       COUNT(*) FILTER (WHERE category = 'intermittent') AS intermittent
FROM rough_sleeping_contact
GROUP BY year, quarter
ORDER BY year, quarter",
    },
    Question {
        words: "Where is that most, for the people who live there? A public table has the residents.",
        sql: "SELECT b.name AS borough, COUNT(*) AS contacts, b.population,
       ROUND(10000.0 * COUNT(*) / b.population, 1) AS per_10k
FROM rough_sleeping_contact AS r
JOIN ref_borough AS b ON b.gss = r.borough_gss
GROUP BY b.name, b.population
ORDER BY per_10k DESC
LIMIT 8",
    },
    Question {
        words: "Which walls are damp? Two tables of each borough, joined where they lie.",
        sql: "SELECT p.wall_type, COUNT(d.case_id) AS reports, COUNT(*) FILTER (WHERE d.severity = 'emergency') AS emergencies,
       ROUND(AVG(d.repair_cost), 2) AS mean_repair_cost
FROM property AS p
JOIN damp_case AS d ON d.node = p.node AND d.uprn_key = p.uprn_key
GROUP BY p.wall_type
ORDER BY reports DESC",
    },
    Question {
        words: "When is the air worst? Public sensors: an open policy, exact figures.",
        sql: "SELECT EXTRACT(HOUR FROM ts) AS hour, COUNT(value) AS readings, ROUND(AVG(value), 1) AS no2
FROM env_reading
WHERE measure = 'NO2'
GROUP BY hour
ORDER BY hour",
    },
    Question {
        words: "Which boroughs teach most children from elsewhere?",
        sql: "SELECT b.name AS school_borough,
       COUNT(*) FILTER (WHERE p.home_gss = p.school_gss) AS from_home,
       COUNT(*) FILTER (WHERE p.home_gss <> p.school_gss) AS from_outside,
       ROUND(100.0 * COUNT(*) FILTER (WHERE p.home_gss <> p.school_gss) / COUNT(*), 0) AS percent_outside
FROM school_census_pupil AS p
JOIN ref_borough AS b ON b.gss = p.school_gss
GROUP BY b.name
ORDER BY percent_outside DESC
LIMIT 8",
    },
];

const STATS19: [Question; 5] = [
    Question {
        words: "How many collisions were reported, by year and severity?",
        sql: "SELECT year, COUNT(*) AS collisions, COUNT(*) FILTER (WHERE severity = 'Fatal') AS fatal,
       COUNT(*) FILTER (WHERE severity = 'Serious') AS serious
FROM collision
GROUP BY year
ORDER BY year",
    },
    Question {
        words: "Where are most, for the people who live there?",
        sql: "SELECT b.name AS borough, COUNT(*) AS collisions, ROUND(10000.0 * COUNT(*) / b.population, 1) AS per_10k
FROM collision AS c
JOIN ref_borough AS b ON b.gss = c.borough_gss
GROUP BY b.name, b.population
ORDER BY per_10k DESC
LIMIT 8",
    },
    Question {
        words: "At what hour?",
        sql: "SELECT CAST(LEFT(time_of_day, 2) AS INTEGER) AS hour, COUNT(*) AS collisions
FROM collision
GROUP BY hour
ORDER BY hour",
    },
    Question {
        words: "Who is hurt? Two tables of each borough, joined where they lie.",
        sql: "SELECT v.casualty_type, COUNT(*) AS casualties, COUNT(*) FILTER (WHERE v.severity = 'Fatal') AS killed
FROM casualty AS v
JOIN collision AS c ON c.node = v.node AND c.collision_key = v.collision_key
WHERE c.year >= 2020
GROUP BY v.casualty_type
ORDER BY casualties DESC
LIMIT 8",
    },
    Question {
        words: "Does the speed limit matter?",
        sql: "SELECT speed_limit, COUNT(*) AS collisions,
       ROUND(100.0 * COUNT(*) FILTER (WHERE severity = 'Fatal') / COUNT(*), 2) AS percent_fatal
FROM collision
GROUP BY speed_limit
ORDER BY speed_limit",
    },
];

const LAQN: [Question; 5] = [
    Question {
        words: "What is measured, and how often?",
        sql: "SELECT species, COUNT(value) AS readings, ROUND(AVG(value), 2) AS mean, ROUND(STDDEV(value), 2) AS spread
FROM air_quality
GROUP BY species
ORDER BY species",
    },
    Question {
        words: "When is the air worst?",
        sql: "SELECT EXTRACT(HOUR FROM ts) AS hour, ROUND(AVG(value), 1) AS no2
FROM air_quality
WHERE species = 'NO2'
GROUP BY hour
ORDER BY hour",
    },
    Question {
        words: "Does it get better?",
        sql: "SELECT EXTRACT(YEAR FROM ts) AS year, ROUND(AVG(value), 2) AS no2, MAX(value) AS worst_hour
FROM air_quality
WHERE species = 'NO2'
GROUP BY year
ORDER BY year",
    },
    Question {
        words: "Roads or parks? Two tables of each borough, joined where they lie.",
        sql: "SELECT s.site_type, COUNT(*) AS readings, ROUND(AVG(r.value), 1) AS no2
FROM air_quality AS r
JOIN air_quality_site AS s ON s.node = r.node AND s.site_code = r.site_code
WHERE r.species = 'NO2'
GROUP BY s.site_type
ORDER BY no2 DESC",
    },
    Question {
        words: "Inner or outer London?",
        sql: "SELECT b.inner_outer, ROUND(AVG(r.value), 1) AS no2
FROM air_quality AS r
JOIN ref_borough AS b ON b.gss = r.borough_gss
WHERE r.species = 'NO2'
GROUP BY b.inner_outer
ORDER BY no2 DESC",
    },
];

/// The questions that fit the rows.
pub(crate) fn of(options: &Options) -> [Question; 5] {
    if options.stats19.is_some() {
        STATS19
    } else if options.laqn.is_some() {
        LAQN
    } else {
        SYNTHETIC
    }
}
