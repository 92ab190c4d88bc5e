//! The worker's loop: an order in, reports out, a drive in between.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};

use super::{Input, Order, Report};
use crate::evidence::Evidence;
use crate::runner::{self, Ask};
use crate::{checkpoint, device, pipeline};

/// Longest accepted line: an order with the largest checkpoint, escaped.
const LINE_MAX: u64 = 3 * checkpoint::TEXT_MAX as u64;

/// Asks that may wait: they are taken several times a second, and the parent sends a few a minute.
const ASKS: usize = 16;

/// Why a worker could not work. What goes wrong with the *drive* is in the evidence instead.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Input ended or failed before there was an order.
    #[error("no order on standard input")]
    NoOrder(#[source] io::Error),
    /// The first line is no order.
    #[error("the first line is no order: {0}")]
    Order(String),
    /// The drive cannot be reached.
    #[error("setting up the way to the drive")]
    Device(#[source] io::Error),
    /// The order cannot be begun.
    #[error("the order cannot be begun: {0}")]
    Begin(#[from] pipeline::Error),
    /// Nobody takes the reports.
    #[error("writing a report")]
    Output(#[source] io::Error),
}

/// Runs the job that the first line of `input` orders on `drive`, an open and guarded descriptor.
///
/// Returns when the job ended, was stopped, or `input` ended. The caller sets up its
/// sandbox before; this function opens nothing and starts one or two threads.
///
/// # Errors
/// When there is no usable order, or nobody reads the reports.
pub fn run(drive: File, input: impl Read + Send + 'static, mut output: impl Write) -> Result<Evidence, Error> {
    let mut input = BufReader::new(input);
    let order = match read(&mut input).map_err(Error::NoOrder)? {
        Ok(Input::Order(order)) => order,
        Ok(
            Input::Stop { .. }
            | Input::Pace { .. }
            | Input::Hold { .. }
            | Input::Release
            | Input::Medium { .. }
            | Input::Go { .. },
        ) => {
            return Err(Error::Order(
                "expected an order, got what is told to a running job".to_owned(),
            ));
        }
        Err(why) => return Err(Error::Order(why)),
    };
    let inbox = listen(input).map_err(Error::Device)?;
    work(drive, &order, &inbox, &mut output)
}

fn work(drive: File, order: &Order, inbox: &Receiver<Ask>, output: &mut impl Write) -> Result<Evidence, Error> {
    let (mut device, way) = device::open(drive, order.io).map_err(Error::Device)?;
    let mut deaf = None;
    let mut asked = || match inbox.try_recv() {
        Ok(ask) => Some(ask),
        Err(TryRecvError::Empty) => None,
        Err(TryRecvError::Disconnected) => Some(Ask::Stop("the agent is gone".to_owned())),
    };
    let mut emit = |report: Report| {
        if deaf.is_none()
            && let Err(error) = send(output, &report)
        {
            deaf = Some(error);
        }
    };
    let evidence = runner::run_asked(device.as_mut(), order, &way, &mut asked, &mut emit)?;
    match deaf {
        Some(error) => Err(Error::Output(error)),
        None => Ok(evidence),
    }
}

fn send(output: &mut impl Write, report: &Report) -> io::Result<()> {
    let mut line = serde_json::to_vec(report)?;
    line.push(b'\n');
    output.write_all(&line)?;
    output.flush()
}

/// One line; the outer error is the channel's, the inner one says why the line is no input.
fn read(input: &mut impl BufRead) -> io::Result<Result<Input, String>> {
    let mut line = Vec::new();
    input.take(LINE_MAX).read_until(b'\n', &mut line)?;
    if line.is_empty() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(serde_json::from_slice(&line).map_err(|e| e.to_string()))
}

/// Listens on a thread; everything asked for arrives in the channel, which closes with the input.
fn listen(mut input: impl BufRead + Send + 'static) -> io::Result<Receiver<Ask>> {
    // Full, it makes the parent wait at its pipe; a parent that asks faster than this listens is at fault itself.
    let (asks, inbox) = sync_channel(ASKS);
    std::thread::Builder::new()
        .name("agent".to_owned())
        .stack_size(64 << 10)
        .spawn(move || {
            loop {
                let ask = match read(&mut input) {
                    Ok(Ok(Input::Stop { why })) => Ask::Stop(why),
                    Ok(Ok(Input::Pace { bytes_per_s })) => Ask::Pace(bytes_per_s),
                    Ok(Ok(Input::Hold { why })) => Ask::Hold(why),
                    Ok(Ok(Input::Release)) => Ask::Release,
                    Ok(Ok(Input::Medium { count })) => Ask::Medium(count),
                    Ok(Ok(Input::Go { step })) => Ask::Go(step),
                    Ok(Ok(Input::Order(_))) => Ask::Stop("a second order came".to_owned()),
                    Ok(Err(why)) => Ask::Stop(format!("input that is nothing known: {why}")),
                    Err(_) => return,
                };
                let last = matches!(ask, Ask::Stop(_));
                if asks.send(ask).is_err() || last {
                    return;
                }
            }
        })?;
    Ok(inbox)
}
