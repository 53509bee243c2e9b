//! Replaces workers and APIs, by this build or another.

use anyhow::Result;

use super::Stack;
use crate::stack::slot;
use xtask::project;

impl Stack {
    /// Starts a worker where one was killed.
    pub(crate) fn replace_worker(&mut self, at: usize) -> Result<()> {
        if self.workers[at].is_empty() {
            self.start_worker(at)?;
        }
        Ok(())
    }

    /// Starts an API where one was killed.
    pub(crate) fn replace_api(&mut self, at: usize) -> Result<()> {
        if self.apis[at].is_empty() {
            self.start_api(at)?;
        }
        Ok(())
    }

    /// Another build from now on, when there is one.
    pub(crate) fn next_worker_build(&mut self) {
        self.programs.workers.rotate_left(1);
    }

    /// The same of the API.
    pub(crate) fn next_api_build(&mut self) {
        self.programs.apis.rotate_left(1);
    }

    /// Starts a new worker beside the one that is there, and then ends that one in good order.
    pub(crate) fn deploy_worker(&mut self, at: usize) -> Result<()> {
        let name = self.workers[at].process_name();
        if let Some(old) = self.start_worker(at)? {
            self.bad_ends.extend(slot::end(old, &name));
        }
        Ok(())
    }

    /// The same with an API: callers go to the new one as soon as it is ready.
    pub(crate) fn deploy_api(&mut self, at: usize) -> Result<()> {
        let name = self.apis[at].process_name();
        let port = project::lasting_port()?;
        let old = self.fill_api(at, port)?;
        self.wait_for_port(at, port)?;
        self.doors.set(at, port);
        if let Some(old) = old {
            self.bad_ends.extend(slot::end(old, &name));
        }
        Ok(())
    }
}
