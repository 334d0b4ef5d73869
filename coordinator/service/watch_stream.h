// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_COORDINATOR_SERVICE_WATCH_STREAM_H_
#define HANAS_COORDINATOR_SERVICE_WATCH_STREAM_H_

#include <grpcpp/support/server_callback.h>

#include "coordinator/app/app.h"
#include "coordinator/service/services.h"
#include "hanas/v1/search.pb.h"

namespace hanas::coordinator {

/// Begins a watch that holds no thread and no queue: a cursor, and one message on its way. The next events are read from the application
/// when a message has gone out, so a client that reads slowly costs nothing but its own lateness. One that does not read for
/// `options.max_stall` is ended with RESOURCE_EXHAUSTED (WATCH_STALLED), which it finds behind what it has not read; it watches again from
/// its last sequence and misses nothing. One that does not read that either is cancelled by the server (ServerOptions::max_stall).
///
/// States: idle (woken by new events, a tick, or the end of the application) -> writing -> idle …; finished. The stream owns itself. `app`
/// is borrowed and must outlive the server. Thread-safe.
grpc::ServerWriteReactor<v1::SearchEvent>* StartWatch(App* app, const v1::WatchSearchRequest& request, const WatchOptions& options);

}  // namespace hanas::coordinator

#endif  // HANAS_COORDINATOR_SERVICE_WATCH_STREAM_H_
