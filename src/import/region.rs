//! Sets of new flows: who calls which address and port over which protocol and interface.

use super::intervals::Intervals;

/// One property of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dimension {
    /// The source address.
    Source,
    /// The address that was called, before any translation.
    Destination,
    /// The port that was called, before any translation.
    Port,
    /// The transport protocol, by its index in `Protocol::ALL`.
    Protocol,
    /// The interface by which it comes in, by its index in `Interfaces`.
    Interface,
}

impl Dimension {
    pub const ALL: [Dimension; 5] = [
        Dimension::Protocol,
        Dimension::Port,
        Dimension::Interface,
        Dimension::Destination,
        Dimension::Source,
    ];
}

/// The rules lead to more combinations of conditions than are followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooComplex;

/// Maximum number of rectangles of a region.
const RECTANGLES_MAX: usize = 4096;

/// The flows each of whose properties is in one set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rectangle([Intervals; 5]);

impl Rectangle {
    /// The rectangle with these values.
    pub fn new(values: impl Fn(Dimension) -> Intervals) -> Rectangle {
        let mut all = [const { None }; 5];
        for dimension in Dimension::ALL {
            all[dimension as usize] = Some(values(dimension));
        }
        Rectangle(all.map(|values| values.unwrap_or_else(Intervals::none)))
    }

    /// The values of one property.
    pub fn get(&self, dimension: Dimension) -> &Intervals {
        &self.0[dimension as usize]
    }

    /// The rectangle without the values of one property that are not among these.
    pub fn restricted(mut self, dimension: Dimension, values: &Intervals) -> Rectangle {
        self.set(dimension, self.get(dimension).intersection(values));
        self
    }

    pub fn set(&mut self, dimension: Dimension, values: Intervals) {
        self.0[dimension as usize] = values;
    }

    pub fn is_empty(&self) -> bool {
        self.0.iter().any(Intervals::is_empty)
    }

    pub fn intersection(&self, other: &Rectangle) -> Option<Rectangle> {
        let mut both = self.clone();
        for dimension in Dimension::ALL {
            let values = self.get(dimension).intersection(other.get(dimension));
            if values.is_empty() {
                return None;
            }
            both.set(dimension, values);
        }
        Some(both)
    }

    pub fn includes(&self, other: &Rectangle) -> bool {
        Dimension::ALL.iter().all(|it| self.get(*it).includes(other.get(*it)))
    }

    /// The flows that are not in `other`, as disjoint rectangles.
    fn minus(&self, other: &Rectangle) -> Vec<Rectangle> {
        let Some(common) = self.intersection(other) else { return vec![self.clone()] };
        let mut rest = Vec::new();
        let mut inner = self.clone();
        for dimension in Dimension::ALL {
            let outside = inner.get(dimension).minus(common.get(dimension));
            if !outside.is_empty() {
                let mut piece = inner.clone();
                piece.set(dimension, outside);
                rest.push(piece);
            }
            inner.set(dimension, common.get(dimension).clone());
        }
        rest
    }

    /// The union, if it is a rectangle because the two differ in one property at most.
    fn merged(&self, other: &Rectangle) -> Option<Rectangle> {
        let differs = |it: &&Dimension| self.get(**it) != other.get(**it);
        let mut different = Dimension::ALL.iter().filter(differs);
        let Some(dimension) = different.next() else { return Some(self.clone()) };
        if different.next().is_some() {
            return None;
        }
        let mut union = self.clone();
        union.set(*dimension, self.get(*dimension).union(other.get(*dimension)));
        Some(union)
    }
}

/// A union of rectangles, which may overlap.
#[derive(Clone, Debug, Default)]
pub struct Region(Vec<Rectangle>);

impl Region {
    pub fn new(rectangle: Rectangle) -> Region {
        Region(if rectangle.is_empty() { Vec::new() } else { vec![rectangle] })
    }

    pub fn rectangles(&self) -> &[Rectangle] {
        &self.0
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds the flows of another region.
    pub fn add(&mut self, other: Region) -> Result<(), TooComplex> {
        for rectangle in other.0 {
            self.push(rectangle)?;
        }
        Ok(())
    }

    fn push(&mut self, rectangle: Rectangle) -> Result<(), TooComplex> {
        if self.0.iter().any(|it| it.includes(&rectangle)) {
            return Ok(());
        }
        let merged = self.0.iter().enumerate().find_map(|(index, it)| {
            let union = it.merged(&rectangle)?;
            Some((index, union))
        });
        match merged {
            Some((index, union)) => {
                self.0.swap_remove(index);
                self.push(union)
            }
            None if self.0.len() == RECTANGLES_MAX => Err(TooComplex),
            None => {
                self.0.push(rectangle);
                Ok(())
            }
        }
    }

    /// The flows that are in the rectangle, too.
    pub fn within(&self, rectangle: &Rectangle) -> Region {
        Region(self.0.iter().filter_map(|it| it.intersection(rectangle)).collect())
    }

    /// The flows that are in both.
    pub fn intersection(&self, other: &Region) -> Result<Region, TooComplex> {
        let mut both = Region::default();
        for rectangle in &other.0 {
            both.add(self.within(rectangle))?;
        }
        Ok(both)
    }

    /// The flows that are not in `other`.
    pub fn minus(&self, other: &Region) -> Result<Region, TooComplex> {
        let mut rest = self.clone();
        for hole in &other.0 {
            if rest.0.iter().all(|it| it.intersection(hole).is_none()) {
                continue;
            }
            let mut next = Region::default();
            for piece in rest.0.iter().flat_map(|it| it.minus(hole)) {
                next.push(piece)?;
            }
            rest = next;
        }
        Ok(rest)
    }

    /// Whether a flow is in both.
    pub fn overlaps(&self, other: &Region) -> bool {
        let meets = |it: &Rectangle| other.0.iter().any(|other| it.intersection(other).is_some());
        self.0.iter().any(meets)
    }

    /// Whether all flows of `other` are in this region.
    pub fn includes(&self, other: &Region) -> Result<bool, TooComplex> {
        Ok(other.minus(self)?.is_empty())
    }
}
