use std::io;

use corridor_core::Side;

use crate::draw::Draw;
use crate::entry::enter;
use crate::household::{Household, Person, to_date};
use crate::itinerary::Place;
use crate::office::Precision;
use crate::population::Population;
use crate::witness::{Counterpart, Witness};

/// Two registers of a population, by where each row comes from: a row's text is made when it is written, so that
/// memory is less than 100 bytes a row whatever the rows say.
#[derive(Debug)]
pub struct Registers<'a> {
    population: &'a Population,
    left: Rows,
    right: Rows,
    /// Pairs of ordinals of rows: the same move.
    moves: Vec<(u32, u32)>,
    /// Pairs of ordinals of persons: the same person.
    persons: Vec<(u32, u32)>,
}

/// One register before it is written.
#[derive(Debug, Default)]
struct Rows {
    /// The move of each row, in the order of the population.
    sources: Vec<Source>,
    /// Ordinals of rows, in the order they stand in the file.
    order: Vec<u32>,
    /// Place in the file of each ordinal.
    places: Vec<u32>,
    /// Key number of each person, by ordinal: shuffled, so that relatives have unlike keys.
    keys: Vec<u32>,
}

/// Where a row comes from.
#[derive(Debug, Clone, Copy)]
struct Source {
    household: u32,
    /// Ordinal of the person among those of this register.
    person_ordinal: u32,
    person: u8,
    /// Position among the person's moves.
    position: u8,
}

/// Share of rows for which an office writes the person down anew, with errors of their own.
const ENTERED_ANEW: f64 = 0.08;

impl Rows {
    fn add(&mut self, source: Source) -> u32 {
        let ordinal = to_u32(self.sources.len());
        self.sources.push(source);
        ordinal
    }

    /// Puts rows and keys in an order that says nothing.
    fn close(&mut self, persons: u32, mut draw: Draw) {
        self.order = (0..to_u32(self.sources.len())).collect();
        draw.shuffle(&mut self.order);
        self.places = vec![0; self.order.len()];
        for (place, &ordinal) in (0_u32..).zip(&self.order) {
            self.places[at(ordinal)] = place;
        }
        self.keys = (0..persons).collect();
        draw.shuffle(&mut self.keys);
    }
}

impl<'a> Registers<'a> {
    /// Settles who is in the two registers. Households move until one register has `records` rows (the last one may
    /// bring a few more); the other has as many as its office knows of. `progress` is told how many rows the longer
    /// register has.
    pub(crate) fn plan(population: &'a Population, records: u32, progress: &mut dyn FnMut(u64)) -> Self {
        let (mut left, mut right) = (Rows::default(), Rows::default());
        let (mut moves, mut persons) = (Vec::new(), Vec::new());
        let (mut left_persons, mut right_persons) = (0, 0);
        for index in 0.. {
            let longest = left.sources.len().max(right.sources.len());
            if index % 4_096 == 0 {
                progress(u64::try_from(longest).unwrap_or(u64::MAX));
            }
            if longest >= at(records) {
                break;
            }
            for (person, known) in (0..).zip(&population.household(index).persons) {
                let add = |rows: &mut Rows, ordinal, position| {
                    rows.add(Source {
                        household: index,
                        person_ordinal: ordinal,
                        person,
                        position,
                    })
                };
                let (mut in_left, mut in_right) = (false, false);
                for (position, known) in (0..).zip(&known.moves) {
                    let on_left = known.origin.map(|_| add(&mut left, left_persons, position));
                    let on_right = known
                        .destination
                        .map(|_| add(&mut right, right_persons, position));
                    in_left |= on_left.is_some();
                    in_right |= on_right.is_some();
                    moves.extend(on_left.zip(on_right));
                }
                if in_left && in_right {
                    persons.push((left_persons, right_persons));
                }
                left_persons += u32::from(in_left);
                right_persons += u32::from(in_right);
            }
        }
        left.close(left_persons, Draw::new(population.seed(), "order left"));
        right.close(right_persons, Draw::new(population.seed(), "order right"));
        Self {
            population,
            left,
            right,
            moves,
            persons,
        }
    }

    /// Number of rows of a register.
    pub fn record_count(&self, side: Side) -> u32 {
        to_u32(self.rows(side).sources.len())
    }

    /// Number of persons of a register.
    pub fn person_count(&self, side: Side) -> u32 {
        to_u32(self.rows(side).keys.len())
    }

    /// Number of moves that are in both registers.
    pub fn shared_move_count(&self) -> u32 {
        to_u32(self.moves.len())
    }

    /// Number of persons that are in both registers.
    pub fn shared_person_count(&self) -> u32 {
        to_u32(self.persons.len())
    }

    /// Writes a register as CSV. `progress` is told how many rows are written.
    ///
    /// # Errors
    /// What `out` fails with.
    pub fn write_register(
        &self,
        side: Side,
        out: &mut dyn io::Write,
        progress: &mut dyn FnMut(u64),
    ) -> io::Result<()> {
        let rows = self.rows(side);
        let mut writer = csv::Writer::from_writer(out);
        writer.write_record([
            "rec_id",
            "person_key",
            "given_names",
            "surname",
            "date_of_birth",
            "sex",
            match side {
                Side::Origin => "birth_place",
                Side::Destination => "birth_country",
            },
            "nationality",
            "event_date",
            "direction",
            "other_country",
        ])?;
        for (place, &ordinal) in (0_u32..).zip(&rows.order) {
            let source = rows.sources[at(ordinal)];
            let household = self.population.household(source.household);
            self.write_row(side, place, source, &household, &mut writer)?;
            if place % 4_096 == 0 {
                progress(u64::from(place));
            }
        }
        writer.flush()
    }

    fn write_row(
        &self,
        side: Side,
        place: u32,
        source: Source,
        household: &Household<'_>,
        writer: &mut csv::Writer<&mut dyn io::Write>,
    ) -> io::Result<()> {
        let profile = self.population.profile();
        let office = profile.office(side);
        let person = &household.persons[usize::from(source.person)];
        let entry = self.enter(side, source, household, person);
        let known = &person.moves[usize::from(source.position)];
        let (witness, own) = match side {
            Side::Origin => (known.origin, Place::Origin),
            Side::Destination => (known.destination, Place::Destination),
        };
        let witness: Witness = witness.expect("a row is of a move its office knows of");
        let leaving = known.leg.from == own;
        let other = if leaving { known.leg.to } else { known.leg.from };
        let country = |place| match place {
            Place::Destination => profile.destination_code(),
            Place::Origin => profile.origin_code(),
            Place::Third(number) => profile.third_countries[number],
        };
        let precision = if witness.month_only {
            Precision::Month
        } else {
            Precision::Day
        };
        writer.write_record([
            self.to_record_id(side, place).as_str(),
            &self.to_person_key(side, source.person_ordinal),
            &entry.given_names,
            &entry.surname,
            &entry.date_of_birth,
            entry.sex,
            match side {
                Side::Origin => entry.birth_town,
                Side::Destination => entry.birth_country,
            },
            entry.nationality,
            &office.write_date(to_date(witness.day), precision),
            if leaving { office.departure } else { office.arrival },
            match witness.counterpart {
                Counterpart::Missing => "",
                Counterpart::True => office.countries.write(country(other)),
                Counterpart::Wrong(third) => office.countries.write(country(Place::Third(third))),
            },
        ])?;
        Ok(())
    }

    /// The person as the office of `side` writes it down, mostly the same for all of a person's moves.
    fn enter(
        &self,
        side: Side,
        source: Source,
        household: &Household<'_>,
        person: &Person<'_>,
    ) -> crate::entry::Entry {
        let Source {
            household: number,
            person: member,
            position,
            ..
        } = source;
        let seed = self.population.seed();
        let name = match side {
            Side::Origin => "left",
            Side::Destination => "right",
        };
        let anew = Draw::new(seed, &format!("anew {name} {number} {member} {position}")).chance(ENTERED_ANEW);
        let purpose = if position > 0 && anew {
            format!("entry {name} {number} {member} {position}")
        } else {
            format!("entry {name} {number} {member}")
        };
        enter(
            self.population.profile(),
            self.population.profile().office(side),
            household,
            person,
            &mut Draw::new(seed, &format!("family {name} {number}")),
            &mut Draw::new(seed, &purpose),
        )
    }

    /// Writes the pairs of rows that are the same move: `id_a`, `id_b`, by `id_a`.
    ///
    /// # Errors
    /// What `out` fails with.
    pub fn write_truth(&self, out: &mut dyn io::Write) -> io::Result<()> {
        let place = |rows: &Rows, ordinal| rows.places[at(ordinal)];
        let mut pairs: Vec<(u32, u32)> = self
            .moves
            .iter()
            .map(|&(left, right)| (place(&self.left, left), place(&self.right, right)))
            .collect();
        pairs.sort_unstable();
        let mut writer = csv::Writer::from_writer(out);
        writer.write_record(["id_a", "id_b"])?;
        for (left, right) in pairs {
            writer.write_record([
                self.to_record_id(Side::Origin, left),
                self.to_record_id(Side::Destination, right),
            ])?;
        }
        writer.flush()
    }

    /// Writes the pairs of person keys that are the same person: `person_a`, `person_b`, by `person_a`.
    ///
    /// # Errors
    /// What `out` fails with.
    pub fn write_persons(&self, out: &mut dyn io::Write) -> io::Result<()> {
        let mut pairs: Vec<(String, String)> = self
            .persons
            .iter()
            .map(|&(left, right)| {
                (
                    self.to_person_key(Side::Origin, left),
                    self.to_person_key(Side::Destination, right),
                )
            })
            .collect();
        pairs.sort_unstable();
        let mut writer = csv::Writer::from_writer(out);
        writer.write_record(["person_a", "person_b"])?;
        for (left, right) in pairs {
            writer.write_record([left, right])?;
        }
        writer.flush()
    }

    /// The mapping file of a register (TOML), as `corridor rehearse` takes it.
    pub fn to_mapping(&self, side: Side) -> String {
        let profile = self.population.profile();
        let reporter = match side {
            Side::Origin => profile.origin_code(),
            Side::Destination => profile.destination_code(),
        };
        profile.office(side).to_mapping(side, reporter)
    }

    const fn rows(&self, side: Side) -> &Rows {
        match side {
            Side::Origin => &self.left,
            Side::Destination => &self.right,
        }
    }

    /// Rows are numbered as they stand in the file.
    fn to_record_id(&self, side: Side, place: u32) -> String {
        let letter = match side {
            Side::Origin => 'A',
            Side::Destination => 'B',
        };
        format!("{letter}{:06}", place + 1)
    }

    fn to_person_key(&self, side: Side, ordinal: u32) -> String {
        let letter = match side {
            Side::Origin => 'P',
            Side::Destination => 'Q',
        };
        format!("{letter}{:07}", self.rows(side).keys[at(ordinal)] + 1)
    }
}

fn at(number: u32) -> usize {
    usize::try_from(number).expect("a 32-bit number is an index")
}

fn to_u32(len: usize) -> u32 {
    u32::try_from(len).expect("a register is planned for a 32-bit number of rows")
}
