// SPDX-License-Identifier: Apache-2.0
// On libmicrohttpd, driven by a loop of ours instead of a thread of its own. That thread closes a connection that is silent, but not one
// that sends a byte now and then, nor one to make room for another; the loop does both. And no thread here has less than the system's
// stack, of which the thread-local storage of large libraries (LibTorch) may take hundreds of kilobytes.
#include "telemetry/prometheus/http_server.h"

#include <microhttpd.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <deque>
#include <list>
#include <optional>
#include <set>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/call_once.h"
#include "absl/base/thread_annotations.h"
#include "absl/cleanup/cleanup.h"
#include "absl/log/check.h"
#include "absl/log/log.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "absl/synchronization/mutex.h"

namespace hanas::telemetry {
namespace {

using SteadyTime = std::chrono::steady_clock::time_point;

/// What is sent to a client, or to several at once: the library counts who uses it.
struct Answer {
  unsigned int status = 0;
  std::shared_ptr<MHD_Response> response;
};

Answer MakeAnswer(const HttpReply& reply) {
  const std::shared_ptr<MHD_Response> response(MHD_create_response_from_buffer_copy(reply.body.size(), reply.body.data()),
                                               &MHD_destroy_response);
  CHECK(response != nullptr) << "out of memory";
  MHD_add_response_header(response.get(), MHD_HTTP_HEADER_CONTENT_TYPE, reply.content_type.c_str());
  MHD_add_response_header(response.get(), MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
  MHD_add_response_header(response.get(), MHD_HTTP_HEADER_CONNECTION, "close");
  if (reply.status == MHD_HTTP_METHOD_NOT_ALLOWED) MHD_add_response_header(response.get(), MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
  return {.status = static_cast<unsigned int>(reply.status), .response = response};
}

class Path;

/// One connection. Confined to the loop, except for the answer.
struct Client {
  int descriptor = -1;
  std::list<Client*>::iterator place;  // among those that are not dropped
  std::optional<SteadyTime> until;     // when it is closed; none while it waits for the server
  Path* asked = nullptr;               // whom it waits for, or has waited for
  bool dropped = false;                // shut down; the library has yet to notice
  Answer answer;                       // set by the path's thread before the connection is resumed
};

/// A thread that calls the handler of one path for those who ask. Those who were there when a call began share its answer. Thread-safe.
class Path {
 public:
  explicit Path(HttpHandler handler) : handler_(std::move(handler)), thread_([this] { Run(); }) {}
  ~Path() {
    {
      absl::MutexLock lock(&mutex_);
      stopping_ = true;
    }
    thread_.join();
    absl::MutexLock lock(&mutex_);
    for (const Asker& asker : askers_) MHD_resume_connection(asker.connection);
  }
  Path(const Path&) = delete;
  Path& operator=(const Path&) = delete;

  /// Suspends the connection until `client` has its answer.
  void Ask(MHD_Connection* connection, Client* client) {
    absl::MutexLock lock(&mutex_);
    MHD_suspend_connection(connection);
    askers_.push_back({connection, client});
  }
  /// Resumes the connection without an answer, unless it has had one.
  void Forget(const Client* client) {
    absl::MutexLock lock(&mutex_);
    const auto asker = std::find_if(askers_.begin(), askers_.end(), [client](const Asker& a) { return a.client == client; });
    if (asker == askers_.end()) return;
    if (static_cast<size_t>(asker - askers_.begin()) < in_call_) --in_call_;
    MHD_resume_connection(asker->connection);
    askers_.erase(asker);
  }

 private:
  struct Asker {
    MHD_Connection* connection = nullptr;
    Client* client = nullptr;
  };

  /// Blocks until somebody asks; false once stopped.
  bool BeginCall() {
    absl::MutexLock lock(&mutex_);
    const auto due = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return stopping_ || !askers_.empty(); };
    mutex_.Await(absl::Condition(&due));
    in_call_ = askers_.size();
    return !stopping_;
  }
  void EndCall(const Answer& answer) {
    absl::MutexLock lock(&mutex_);
    for (; in_call_ > 0; --in_call_) {
      askers_.front().client->answer = answer;
      MHD_resume_connection(askers_.front().connection);
      askers_.pop_front();
    }
  }
  void Run() {
    while (BeginCall()) EndCall(MakeAnswer(handler_()));
  }

  const HttpHandler handler_;
  absl::Mutex mutex_;
  std::deque<Asker> askers_ ABSL_GUARDED_BY(mutex_);  // in the order in which they came
  size_t in_call_ ABSL_GUARDED_BY(mutex_) = 0;        // the first of them, which the call under way answers
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

/// A socket that listens there.
absl::StatusOr<int> ListenAt(const std::string& host, int port) {
  const std::string address = host == "localhost" ? "127.0.0.1" : host;
  const std::string where = absl::StrContains(address, ':') ? absl::StrCat("[", address, "]:", port) : absl::StrCat(address, ":", port);
  const auto failed = [&where](const char* why) {
    return absl::UnavailableError(absl::StrCat("cannot listen on http://", where, ": ", why));
  };
  addrinfo hints = {};
  hints.ai_flags = AI_NUMERICSERV | AI_PASSIVE;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (const int error = getaddrinfo(address.c_str(), absl::StrCat(port).c_str(), &hints, &found); error != 0) {
    return failed(gai_strerror(error));
  }
  const absl::Cleanup free_found = [found] { freeaddrinfo(found); };
  const int listener = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (listener < 0) return failed(std::strerror(errno));
  const int on = 1;
  const int off = 0;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  if (found->ai_family == AF_INET6) setsockopt(listener, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
  if (bind(listener, found->ai_addr, found->ai_addrlen) != 0 || listen(listener, SOMAXCONN) != 0) {
    const int error = errno;
    close(listener);
    return failed(std::strerror(error));
  }
  return listener;
}

/// The path that a request names. A target in absolute form, as for a proxy, is one of this server's all the same.
absl::string_view PathOf(absl::string_view target) {
  if (absl::ConsumePrefix(&target, "http://")) target.remove_prefix(std::min(target.find('/'), target.size()));
  return target;
}

/// The limits with no more connections than this process can afford.
HttpLimits Affordable(HttpLimits limits) {
  rlimit files = {};
  if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
    limits.connections = static_cast<int>(std::clamp<rlim_t>(files.rlim_cur / 2, 1, static_cast<rlim_t>(limits.connections)));
  }
  return limits;
}

class MicroHttpServer final : public HttpServer {
 public:
  explicit MicroHttpServer(const HttpLimits& limits) : limits_(Affordable(limits)) {}
  MicroHttpServer(const MicroHttpServer&) = delete;
  MicroHttpServer& operator=(const MicroHttpServer&) = delete;
  ~MicroHttpServer() override {
    if (loop_.joinable()) {
      eventfd_write(stop_, 1);
      loop_.join();
    }
    paths_.clear();  // the library wants nothing suspended when it stops
    if (daemon_ != nullptr) MHD_stop_daemon(daemon_);
    if (stop_ >= 0) close(stop_);
  }

  absl::Status Listen(const std::string& host, int port, std::map<std::string, HttpHandler> handlers) {
    const absl::StatusOr<int> listener = ListenAt(host, port);
    if (!listener.ok()) return listener.status();
    static absl::once_flag once;
    absl::call_once(once, [] {
      MHD_set_panic_func(
          [](void*, const char* file, unsigned int line, const char* why) { LOG(FATAL) << file << ":" << line << ": " << why; }, nullptr);
    });
    // Without MHD_USE_ERROR_LOG the library writes nothing: what clients do wrong is theirs to know.
    daemon_ = MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, nullptr, nullptr, &OnRequest, this, MHD_OPTION_LISTEN_SOCKET,
                               *listener, MHD_OPTION_CONNECTION_LIMIT, static_cast<unsigned int>(limits_.connections) + kSlack,
                               MHD_OPTION_CONNECTION_MEMORY_LIMIT, limits_.request_bytes, MHD_OPTION_NOTIFY_CONNECTION, &OnConnection, this,
                               MHD_OPTION_UNESCAPE_CALLBACK, &KeepEscapes, nullptr, MHD_OPTION_END);
    if (daemon_ == nullptr)
      return absl::UnavailableError("cannot start the HTTP server: out of memory or open files");  // it closed the socket
    port_ = MHD_get_daemon_info(daemon_, MHD_DAEMON_INFO_BIND_PORT)->port;
    stop_ = eventfd(0, EFD_CLOEXEC);
    if (stop_ < 0) return absl::ErrnoToStatus(errno, "cannot start the HTTP server");
    for (auto& [path, handler] : handlers) paths_.emplace(path, std::make_unique<Path>(std::move(handler)));
    loop_ = std::thread([this] { Loop(); });
    return absl::OkStatus();
  }

  int port() const override { return port_; }

 private:
  /// Connections that were dropped to make room stay for another round or two of the loop, each of which accepts about ten. At its own
  /// limit the library would stop listening instead.
  static constexpr unsigned int kSlack = 64;

  // ---- the loop ----

  void Loop() {
    std::array<pollfd, 2> awaited = {{{MHD_get_daemon_info(daemon_, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd, POLLIN, 0}, {stop_, POLLIN, 0}}};
    while (awaited[1].revents == 0) {
      poll(awaited.data(), awaited.size(), MillisecondsToWait());
      closed_ = false;
      MHD_run(daemon_);
      const SteadyTime now = std::chrono::steady_clock::now();
      while (!waiting_.empty() && waiting_.begin()->first <= now) Drop(*waiting_.begin()->second);
    }
  }

  /// -1: until something happens.
  int MillisecondsToWait() const {
    if (closed_) return 0;  // only when it runs again does the library listen again after it had run out of connections or files
    const int library = MHD_get_timeout_i(daemon_);
    if (waiting_.empty()) return library;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(waiting_.begin()->first - std::chrono::steady_clock::now()).count();
    const int ours = static_cast<int>(std::max<int64_t>(left, 0));
    return library < 0 ? ours : std::min(library, ours);
  }

  /// From now on the client may take the server's patience.
  void Await(Client& client) {
    if (client.dropped) return;
    client.until = std::chrono::steady_clock::now() + absl::ToChronoNanoseconds(limits_.patience);
    waiting_.emplace(*client.until, &client);
  }
  void StopAwaiting(Client& client) {
    if (client.until) waiting_.erase({*client.until, &client});
    client.until.reset();
  }
  void Drop(Client& client) {
    StopAwaiting(client);
    live_.erase(client.place);
    client.dropped = true;
    if (client.asked != nullptr) client.asked->Forget(&client);
    shutdown(client.descriptor, SHUT_RDWR);  // the library sees the end of the stream, and closes
  }

  // ---- what the library calls, in the loop ----

  static size_t KeepEscapes(void* /*unused*/, MHD_Connection* /*connection*/, char* text) { return std::strlen(text); }

  static void OnConnection(void* self, MHD_Connection* connection, void** context, MHD_ConnectionNotificationCode code) {
    auto* const server = static_cast<MicroHttpServer*>(self);
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
      *context = server->Begin(MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd).release();
    } else {
      server->End(std::unique_ptr<Client>(static_cast<Client*>(*context)));
    }
  }

  std::unique_ptr<Client> Begin(int descriptor) {
    auto client = std::make_unique<Client>();
    client->descriptor = descriptor;
    if (live_.size() >= static_cast<size_t>(limits_.connections)) Drop(*live_.front());
    client->place = live_.insert(live_.end(), client.get());
    Await(*client);
    return client;
  }

  void End(std::unique_ptr<Client> client) {
    StopAwaiting(*client);
    if (!client->dropped) live_.erase(client->place);
    closed_ = true;
  }

  static MHD_Result OnRequest(void* self, MHD_Connection* connection, const char* target, const char* method, const char* /*version*/,
                              const char* /*body*/, size_t* /*body_size*/, void** /*context*/) {
    auto* const client = static_cast<Client*>(MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context);
    return static_cast<MicroHttpServer*>(self)->Reply(connection, *client, PathOf(target), method);
  }

  /// Called when the headers are there, and again when the connection is resumed.
  MHD_Result Reply(MHD_Connection* connection, Client& client, absl::string_view path, absl::string_view method) {
    if (client.dropped) return MHD_NO;
    StopAwaiting(client);
    if (client.answer.response == nullptr) {
      const auto found = paths_.find(path);
      if (found != paths_.end() && (method == MHD_HTTP_METHOD_GET || method == MHD_HTTP_METHOD_HEAD)) {
        client.asked = found->second.get();
        client.asked->Ask(connection, &client);
        return MHD_YES;
      }
      client.answer = MakeAnswer(found == paths_.end() ? NotFound() : HttpReply{.status = 405, .body = "expected GET or HEAD\n"});
    }
    Await(client);
    return MHD_queue_response(connection, client.answer.status, client.answer.response.get());
  }

  HttpReply NotFound() const {
    const auto name = [](std::string* out, const auto& entry) { out->append(entry.first); };
    return {.status = 404, .body = absl::StrCat("expected one of ", absl::StrJoin(paths_, ", ", name), "\n")};
  }

  const HttpLimits limits_;
  std::map<std::string, std::unique_ptr<Path>, std::less<>> paths_;
  MHD_Daemon* daemon_ = nullptr;
  int port_ = 0;
  int stop_ = -1;  // readable: the loop is to end
  // Confined to the loop, and to the destructor after it.
  std::list<Client*> live_;                           // that are not dropped, from the oldest
  std::set<std::pair<SteadyTime, Client*>> waiting_;  // for their clients to send or to take, by when their time is up
  bool closed_ = false;                               // some, in the last run
  std::thread loop_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::Start(const std::string& host, int port,
                                                              std::map<std::string, HttpHandler> handlers, const HttpLimits& limits) {
  auto server = std::make_unique<MicroHttpServer>(limits);
  if (absl::Status status = server->Listen(host, port, std::move(handlers)); !status.ok()) return status;
  return server;
}

std::map<std::string, HttpHandler> OperationsHandlers(PrometheusMetrics* metrics, std::function<absl::Status()> ready) {
  metrics->AddCollector([ready](Metrics& into) { into.Set(Metric::kReady, {}, ready().ok() ? 1 : 0); });
  return {
      {"/metrics", [metrics] { return HttpReply{.content_type = "text/plain; version=0.0.4; charset=utf-8", .body = metrics->Scrape()}; }},
      {"/healthz", [] { return HttpReply{.body = "ok\n"}; }},
      {"/readyz",
       [ready = std::move(ready)] {
         const absl::Status status = ready();
         if (status.ok()) return HttpReply{.body = "ok\n"};
         return HttpReply{.status = 503, .body = absl::StrCat(status.message(), "\n")};
       }},
  };
}

}  // namespace hanas::telemetry
