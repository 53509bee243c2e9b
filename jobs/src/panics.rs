//! Turns a panic of a function into a message with its place.

use std::any::Any;
use std::cell::Cell;
use std::future::Future;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

use futures::FutureExt;

thread_local! {
    /// Where the last panic of this thread happened.
    static PLACE: Cell<Option<String>> = const { Cell::new(None) };
}

/// A panic that was caught: its message and place.
#[derive(Debug, Clone)]
pub(crate) struct Panicked(pub(crate) String);

/// Notes the place of every panic from now on, beside what the present hook does.
pub(crate) fn remember_places() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            PLACE.set(info.location().map(ToString::to_string));
            before(info);
        }));
    });
}

/// Runs a future; a panic becomes an error. No async function: the future would lie twice in it.
pub(crate) fn caught<T>(work: impl Future<Output = T>) -> impl Future<Output = Result<T, Panicked>> {
    // What a function leaves behind half done is its own; this crate shares nothing mutable with it.
    AssertUnwindSafe(work)
        .catch_unwind()
        .map(|result| result.map_err(describe_and_drop))
}

/// Runs a computation; a panic becomes an error that names its place, on whichever thread it is reported.
pub(crate) fn caught_here<T>(work: impl FnOnce() -> T) -> Result<T, Panicked> {
    panic::catch_unwind(AssertUnwindSafe(work)).map_err(describe_and_drop)
}

/// The payload of a panic is the function's too, and may panic when it is dropped.
fn describe_and_drop(panic: Box<dyn Any + Send>) -> Panicked {
    let described = describe(panic.as_ref());
    if let Err(another) = panic::catch_unwind(AssertUnwindSafe(|| drop(panic))) {
        std::mem::forget(another);
    }
    described
}

fn describe(panic: &(dyn Any + Send)) -> Panicked {
    if let Some(panicked) = panic.downcast_ref::<Panicked>() {
        return panicked.clone();
    }
    let message = panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without a message".to_owned());
    Panicked(match PLACE.take() {
        Some(place) => format!("{message} (at {place})"),
        None => message,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_reported_with_its_message_and_place() {
        remember_places();
        let number = 7;
        let result = caught::<()>(async { panic!("no {number}") }).await;
        let Panicked(message) = result.unwrap_err();
        assert!(
            message.starts_with("no 7 (at ") && message.contains("panics.rs:"),
            "{message}"
        );
    }

    #[tokio::test]
    async fn the_place_survives_another_thread() {
        remember_places();
        let result = tokio::task::spawn_blocking(|| caught_here(|| panic!("deep")))
            .await
            .unwrap();
        let panicked: Panicked = result.unwrap_err();
        let again = caught::<()>(async { panic::resume_unwind(Box::new(panicked)) }).await;
        let Panicked(message) = again.unwrap_err();
        assert!(message.starts_with("deep (at "), "{message}");
    }
}
