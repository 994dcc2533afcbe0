//! What an inner aggregation makes of the rows of a group.

use jigsaw_proto::aggregate::State;
use jigsaw_proto::expr::{Column, Expr};
use jigsaw_proto::fragment::Measure;
use jigsaw_proto::refusal::{Refusal, RefusalCode};

use super::{Input, Known, Summand, Use, Zero, follows_one, refused};

impl Input<'_> {
    /// What may be done with an aggregate that is not released, under its new name: what may be done with what it is made of. A
    /// number of rows is free, for what is counted was checked.
    ///
    /// The greatest and least of a measure that is not open to conditions are not added up: beside a constant, in a union, they
    /// would tell the rows above it from those below.
    pub(in crate::validate::roles) fn grouped(
        &self,
        measure: &Measure,
        name: Column,
        protected: bool,
    ) -> Result<Known, Refusal> {
        if measure.state == State::MouldIndex && protected {
            return Err(follows_one(measure));
        }
        if measure.paired.is_some() && measure.state != State::MouldIndex {
            return Err(refused(
                RefusalCode::AggregateNotAllowed,
                format!(
                    "{measure} is of pairs, which are not aggregated below another aggregation: aggregate once"
                ),
            ));
        }
        // What is allowed of a released aggregate over open rows: nothing of it leaves.
        self.measure(measure, false)?;
        let sources = measure.exprs().flat_map(|expr| self.sources(expr));
        let known = Known {
            column: name,
            data_type: measure.data_type(&self.scope).ok(),
            permitted: Use::Free,
            counted: false,
            present: true,
            summand: Some(Summand::number_of_rows()),
            sources: sources.collect(),
        };
        let Some(argument) = measure.argument.as_ref().filter(|_| !measure.state.is_count()) else {
            return Ok(known);
        };
        let restricted = measure.arguments().any(|argument| self.is_restricted(argument));
        Ok(Known {
            permitted: if restricted { Use::Restricted } else { Use::Free },
            present: measure.arguments().all(|argument| self.is_present(argument)),
            summand: self.added_up(measure.state, argument, restricted),
            ..known
        })
    }

    fn added_up(&self, state: State, argument: &Expr, restricted: bool) -> Option<Summand> {
        match state {
            State::Sum => Some(self.summand(argument, Zero::Nothing).ok()?.of_many_rows()),
            State::Mean => Some(self.summand(argument, Zero::Something).ok()?.of_many_rows()),
            State::Min | State::Max if !restricted => self.summand(argument, Zero::Something).ok(),
            _ => None,
        }
    }
}
