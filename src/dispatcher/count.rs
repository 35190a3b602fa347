//! What the dispatcher adds to the metrics at the end of each tick. Its thread runs it.

use std::time::Duration;

use super::Dispatcher;

impl<L> Dispatcher<L> {
    /// The tick that took so long is over.
    pub(super) fn count(&mut self, length: Duration) {
        let counts = self.delivery.take_counts();
        for code in counts.refusals {
            self.metrics.refused(code, 1);
        }
        let metrics = &self.metrics.dispatcher;
        metrics.tick_lengths.observe_time(length);
        metrics.tick_inputs.observe(self.gathered as u64);
        if counts.messages > 0 {
            metrics.messages.add_alone(counts.messages);
            metrics.deliveries.add_alone(counts.deliveries);
        }
        metrics.sent_bytes.add_alone(counts.bytes);
    }
}
