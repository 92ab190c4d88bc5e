//! What drives are rated for: what people told, before what is built in.

use store::Write;
use wire::Problem;

use super::{Book, Done};
use crate::known::{Spec, known};
use crate::tables::{SPECS, SPECS_MAX};

impl Book {
    /// All ratings: those that people told, then the built-in ones of other models.
    ///
    /// # Errors
    /// The medium.
    pub fn specs(&self) -> store::Result<Vec<Spec>> {
        let mut all: Vec<Spec> = self
            .store
            .read(|r| SPECS.all(r))?
            .into_iter()
            .map(|(_, spec)| spec)
            .collect();
        let more: Vec<Spec> = known()
            .specs
            .iter()
            .filter(|k| !all.iter().any(|s| s.model == k.model))
            .cloned()
            .collect();
        all.extend(more);
        Ok(all)
    }

    /// Keeps a rating.
    ///
    /// # Errors
    /// `full` 409; the medium.
    pub async fn put_spec(&self, spec: Spec) -> Done<()> {
        self.change(move |w| {
            if SPECS.get(w, spec.model.as_str())?.is_none() && SPECS.len(w)? >= SPECS_MAX {
                return Ok(Err(Problem::new("full", 409, "There are too many ratings")));
            }
            SPECS.put(w, spec.model.as_str(), &spec)?;
            Ok(Ok(()))
        })
        .await
    }

    /// Forgets a rating that a person told; false if there was none.
    ///
    /// # Errors
    /// The medium.
    pub async fn drop_spec(&self, model: String) -> store::Result<bool> {
        self.store.write(move |w| SPECS.delete(w, model.as_str())).await
    }
}

/// The rating of a model, told by people or built in.
pub(super) fn spec_of(w: &Write<'_, '_>, model: &str) -> store::Result<Option<Spec>> {
    if model.is_empty() {
        return Ok(None);
    }
    let told = SPECS.get(w, model)?;
    Ok(told.or_else(|| known().specs.iter().find(|spec| spec.model == model).cloned()))
}
