//! The wish to stop, shared by all tasks.

use tokio::sync::watch;

/// Whoever asks to stop holds this.
#[derive(Debug)]
pub struct Stopper(watch::Sender<bool>);

/// Every task that ends in order holds this.
#[derive(Clone, Debug)]
pub struct Stop(watch::Receiver<bool>);

/// A pair.
pub fn pair() -> (Stopper, Stop) {
    let (sender, receiver) = watch::channel(false);
    (Stopper(sender), Stop(receiver))
}

impl Stopper {
    /// Asks everybody to stop.
    pub fn ask(&self) {
        self.0.send_replace(true);
    }
}

impl Stop {
    /// Resolves once it was asked for, also again and again; and when nobody can ask any more.
    pub async fn asked(&mut self) {
        // An error means that the asker is gone, which is the same.
        let _gone = self.0.wait_for(|stop| *stop).await;
    }

    /// Whether it was asked for.
    pub fn is_asked(&self) -> bool {
        *self.0.borrow()
    }
}
