//! The 33 boroughs of London as tiles of one size, each near its neighbours.
//!
//! A tile is not a shape: the City is as large as Bromley, so that it can be seen. Codes are those of the Office for National
//! Statistics.

/// One borough.
#[derive(Debug)]
pub(super) struct Borough {
    pub(super) code: &'static str,
    pub(super) name: &'static str,
    pub(super) short: &'static str,
    /// From the north.
    pub(super) row: usize,
    /// Half tiles from the west; odd in every second row.
    pub(super) half: usize,
}

const fn borough(
    code: &'static str,
    name: &'static str,
    short: &'static str,
    (row, half): (usize, usize),
) -> Borough {
    Borough { code, name, short, row, half }
}

/// All of them, in the order of their codes.
pub(super) const BOROUGHS: [Borough; 33] = [
    borough("E09000001", "City of London", "Cit", (3, 11)),
    borough("E09000002", "Barking and Dagenham", "Bar", (2, 16)),
    borough("E09000003", "Barnet", "Bnt", (1, 7)),
    borough("E09000004", "Bexley", "Bex", (4, 16)),
    borough("E09000005", "Brent", "Bre", (2, 6)),
    borough("E09000006", "Bromley", "Bro", (5, 13)),
    borough("E09000007", "Camden", "Cam", (2, 8)),
    borough("E09000008", "Croydon", "Cro", (5, 11)),
    borough("E09000009", "Ealing", "Eal", (3, 3)),
    borough("E09000010", "Enfield", "Enf", (0, 10)),
    borough("E09000011", "Greenwich", "Gre", (4, 14)),
    borough("E09000012", "Hackney", "Hac", (2, 12)),
    borough("E09000013", "Hammersmith and Fulham", "Ham", (3, 5)),
    borough("E09000014", "Haringey", "Hgy", (1, 9)),
    borough("E09000015", "Harrow", "Hrw", (2, 4)),
    borough("E09000016", "Havering", "Hav", (1, 15)),
    borough("E09000017", "Hillingdon", "Hil", (3, 1)),
    borough("E09000018", "Hounslow", "Hou", (4, 2)),
    borough("E09000019", "Islington", "Isl", (2, 10)),
    borough("E09000020", "Kensington and Chelsea", "Ken", (3, 7)),
    borough("E09000021", "Kingston upon Thames", "Kin", (5, 5)),
    borough("E09000022", "Lambeth", "Lam", (4, 8)),
    borough("E09000023", "Lewisham", "Lew", (4, 12)),
    borough("E09000024", "Merton", "Mer", (5, 7)),
    borough("E09000025", "Newham", "New", (2, 14)),
    borough("E09000026", "Redbridge", "Red", (1, 13)),
    borough("E09000027", "Richmond upon Thames", "Ric", (4, 4)),
    borough("E09000028", "Southwark", "Swk", (4, 10)),
    borough("E09000029", "Sutton", "Sut", (6, 8)),
    borough("E09000030", "Tower Hamlets", "Tow", (3, 13)),
    borough("E09000031", "Waltham Forest", "Wal", (1, 11)),
    borough("E09000032", "Wandsworth", "Wan", (4, 6)),
    borough("E09000033", "Westminster", "Wes", (3, 9)),
];

/// Rows of tiles.
pub(super) const ROWS: usize = 7;

/// Half tiles from the west to the east edge.
pub(super) const HALVES: usize = 18;

/// The borough that a code or a name means, however it is written: `E09000007`, `London Borough of Camden`,
/// `hammersmith-and-fulham`, `Hammersmith & Fulham`, `Kingston`.
pub(super) fn find(text: &str) -> Option<usize> {
    let by_code = BOROUGHS.iter().position(|borough| borough.code.eq_ignore_ascii_case(text.trim()));
    let words = words(text);
    by_code.or_else(|| BOROUGHS.iter().position(|borough| telling(borough.name) == telling_of(&words)))
}

fn words(text: &str) -> Vec<String> {
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_lowercase).collect()
}

fn telling(name: &str) -> Vec<String> {
    telling_of(&words(name))
}

/// The words that tell one borough from another.
fn telling_of(words: &[String]) -> Vec<String> {
    let idle = ["and", "borough", "corporation", "council", "of", "royal", "thames", "the", "upon"];
    let kept = |words: &[String], more: &[&str]| -> Vec<String> {
        let idle = |word: &String| idle.contains(&word.as_str()) || more.contains(&word.as_str());
        words.iter().filter(|word| !idle(word)).cloned().collect()
    };
    let telling = kept(words, &["city", "london"]);
    // Only the City is called by its town.
    if telling.is_empty() { kept(words, &[]) } else { telling }
}
