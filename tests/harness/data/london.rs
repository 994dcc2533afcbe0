//! The places: 33 boroughs, 8 invented charities, who borders whom, which schools stand where.

use super::{REFERENCES, Result};

/// One borough.
#[derive(Debug)]
pub(super) struct Borough {
    pub(super) id: String,
    pub(super) title: String,
    pub(super) gss: String,
    pub(super) inner: bool,
    /// share of London's rough sleeping, in tenths of a per cent
    pub(super) rough: f64,
    pub(super) population: f64,
    pub(super) children: f64,
    pub(super) households: f64,
    /// indices of neighbours
    pub(super) neighbours: Vec<usize>,
    /// numbers of schools: primary, secondary
    pub(super) primary: Vec<i32>,
    pub(super) secondary: Vec<i32>,
}

/// All of them, by node index: boroughs first, then charities.
#[derive(Debug)]
pub(super) struct London {
    pub(super) boroughs: Vec<Borough>,
}

/// Invented charities: id and title.
const CHARITIES: [(&str, &str); 8] = [
    ("st-brides-outreach", "St Bride's Outreach"),
    ("thamesbank-shelter", "Thamesbank Shelter"),
    ("northern-line-housing", "Northern Line Housing"),
    ("lantern-trust", "The Lantern Trust"),
    ("southside-hostels", "Southside Hostels"),
    ("womens-refuge-east", "Women's Refuge East"),
    ("open-door-croydon", "Open Door Croydon"),
    ("second-step", "Second Step"),
];

/// Share of London's rough sleeping in tenths of a per cent, E09000001 first; Westminster has 18 %.
const ROUGH: [u32; 33] = [
    55, 10, 15, 6, 33, 10, 66, 37, 48, 18, 18, 30, 27, 32, 8, 9, 55, 22, 35, 19, 10, 57, 28, 10, 45, 22, 12,
    44, 6, 40, 20, 23, 180,
];

impl London {
    /// From the reference tables.
    pub(super) fn read() -> Result<Self> {
        let [boroughs, neighbours, schools] = REFERENCES.map(|reference| reference.text);
        let mut london = Self { boroughs: Vec::new() };
        for (line, rough) in boroughs.lines().skip(1).zip(ROUGH) {
            london.boroughs.push(borough(line, f64::from(rough))?);
        }
        for line in neighbours.lines().skip(1) {
            let (a, b) = line.split_once(',').ok_or("ref_neighbour.csv has two columns")?;
            let b = london.position(b)?;
            london.borough_mut(a)?.neighbours.push(b);
        }
        for line in schools.lines().skip(1) {
            let mut fields = line.split(',');
            let (Some(urn), Some(gss), Some(phase)) = (fields.next(), fields.next(), fields.next()) else {
                return Err("ref_school.csv has five columns".into());
            };
            let borough = london.borough_mut(gss)?;
            let list = if phase == "Primary" { &mut borough.primary } else { &mut borough.secondary };
            list.push(urn.parse()?);
        }
        Ok(london)
    }

    /// Id and title of every node, in order of index.
    pub(super) fn nodes(&self) -> impl Iterator<Item = (&str, &str)> {
        let boroughs = self.boroughs.iter().map(|borough| (borough.id.as_str(), borough.title.as_str()));
        boroughs.chain(CHARITIES)
    }

    /// Index of the first charity.
    pub(super) fn first_charity(&self) -> usize {
        self.boroughs.len()
    }

    /// Every borough's index with a weight.
    pub(super) fn weights(&self, weight: impl Fn(&Borough) -> f64) -> Vec<(usize, f64)> {
        self.boroughs.iter().enumerate().map(|(index, borough)| (index, weight(borough))).collect()
    }

    /// The borough of that index.
    pub(super) fn borough(&self, index: usize) -> Result<&Borough> {
        self.boroughs.get(index).ok_or_else(|| format!("no borough has the index {index}").into())
    }

    /// Index of the borough of that code.
    pub(super) fn position(&self, gss: &str) -> Result<usize> {
        let position = self.boroughs.iter().position(|borough| borough.gss == gss);
        position.ok_or_else(|| format!("no borough has the code '{gss}'").into())
    }

    fn borough_mut(&mut self, gss: &str) -> Result<&mut Borough> {
        let index = self.position(gss)?;
        self.boroughs.get_mut(index).ok_or_else(|| "a position is within the list".into())
    }
}

fn borough(line: &str, rough: f64) -> Result<Borough> {
    let fields: Vec<&str> = line.split(',').collect();
    let [gss, name, inner_outer, population, children, households] = fields.as_slice() else {
        return Err("ref_borough.csv has six columns".into());
    };
    Ok(Borough {
        id: id(name),
        title: title(name),
        gss: (*gss).to_owned(),
        inner: *inner_outer == "Inner",
        rough,
        population: population.parse()?,
        children: children.parse()?,
        households: households.parse()?,
        neighbours: Vec::new(),
        primary: Vec::new(),
        secondary: Vec::new(),
    })
}

/// The id of the borough of that name.
pub(super) fn id(name: &str) -> String {
    name.to_lowercase().replace(' ', "-")
}

fn title(name: &str) -> String {
    match name {
        "City of London" => "City of London Corporation".to_owned(),
        "Westminster" => "City of Westminster".to_owned(),
        "Greenwich" | "Kensington and Chelsea" | "Kingston upon Thames" => format!("Royal Borough of {name}"),
        _ => format!("London Borough of {name}"),
    }
}
