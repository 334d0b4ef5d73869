// SPDX-License-Identifier: Apache-2.0
#include "rpc/artifact_client.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "core/base/error_reason.h"
#include "rpc/client.h"
#include "rpc/sha256.h"
#include "rpc/status.h"

namespace hanas::rpc {
namespace {

constexpr absl::Duration kStatTimeout = absl::Seconds(20);
constexpr int kMaxRestarts = 3;
// When a store has less than was sent: how much less is worth waiting for, and how often it is asked again (10 s with the usual policy).
constexpr int64_t kWorthWaitingBytes = int64_t{16} << 20;
constexpr int kMaxWaits = 10;

/// A minute, and a second for each MiB.
absl::Duration TransferTimeout(int64_t bytes) { return absl::Minutes(1) + absl::Seconds(bytes >> 20); }

absl::Status WriteAll(int descriptor, absl::string_view bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return ErrnoStatus(errno, absl::StrCat("cannot write ", path));
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return absl::OkStatus();
}

}  // namespace

v1::ArtifactRef ArtifactRefOf(absl::string_view bytes) {
  v1::ArtifactRef artifact;
  artifact.set_sha256(Sha256Hex(bytes));
  artifact.set_size_bytes(static_cast<int64_t>(bytes.size()));
  return artifact;
}

absl::Status CheckArtifactRef(const v1::ArtifactRef& artifact, absl::string_view field) {
  if (absl::Status status = CheckSha256Hex(artifact.sha256(), absl::StrCat(field, ".sha256")); !status.ok()) return status;
  if (artifact.size_bytes() < 0 || artifact.size_bytes() > kMaxArtifactBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat(field, ".size_bytes: expected a number from 0 to ", kMaxArtifactBytes, ", found ", artifact.size_bytes()));
  }
  return absl::OkStatus();
}

ArtifactClient::ArtifactClient(v1::ArtifactService::StubInterface* stub, RetryPolicy policy, Clock* clock, std::function<bool()> cancelled,
                               telemetry::Metrics* metrics)
    : stub_(stub), policy_(policy), clock_(clock), cancelled_(std::move(cancelled)), metrics_(metrics) {}

absl::StatusOr<v1::ArtifactRef> ArtifactClient::Upload(absl::string_view bytes) {
  const v1::ArtifactRef artifact = ArtifactRefOf(bytes);
  if (absl::Status status = CheckArtifactRef(artifact); !status.ok()) return status;
  UploadProgress progress;
  int restarts = 0;
  const auto attempt = [&] {
    absl::Status status = UploadOnce(artifact, bytes, progress);
    // The store has another part of it than it said, or a part with other bytes: ask again, but not for ever.
    const bool again = absl::IsAborted(status) || absl::IsOutOfRange(status) || absl::IsDataLoss(status);
    if (!again || ++restarts > kMaxRestarts) return status;
    if (absl::IsDataLoss(status)) progress.from_start = true;
    return absl::UnavailableError(status.message());
  };
  if (absl::Status status = RetryTemporary(policy_, *clock_, attempt, cancelled_); !status.ok()) return status;
  return artifact;
}

absl::Status ArtifactClient::UploadOnce(const v1::ArtifactRef& artifact, absl::string_view bytes, UploadProgress& progress) {
  v1::StatArtifactRequest stat;
  stat.set_sha256(artifact.sha256());
  v1::StatArtifactResponse known;
  {
    grpc::ClientContext context;
    SetDeadline(context, kStatTimeout + TransferTimeout(artifact.size_bytes()));  // the store may read it first
    const absl::Status status = FromGrpcStatus(stub_->StatArtifact(&context, stat, &known));
    if (!status.ok() && !absl::IsNotFound(status)) return status;
  }
  if (known.complete()) return absl::OkStatus();
  // A part of more bytes than the artifact has is of somebody who claims another size.
  const bool fits = known.received_bytes() >= 0 && known.received_bytes() <= artifact.size_bytes();
  int64_t offset = progress.from_start || !fits ? 0 : known.received_bytes();
  // A connection that broke is noticed here sooner than there, and until then the store keeps what came through it to itself.
  const bool lost_much = progress.sent_bytes - offset >= kWorthWaitingBytes;
  if (lost_much && !progress.from_start && ++progress.waits <= kMaxWaits)
    return absl::UnavailableError(absl::StrCat("the store has ", offset, " of ", progress.sent_bytes, " bytes that were sent"));
  progress = {.from_start = progress.from_start};

  grpc::ClientContext context;
  SetDeadline(context, TransferTimeout(artifact.size_bytes()));
  v1::UploadArtifactResponse response;
  const std::unique_ptr<grpc::ClientWriterInterface<v1::UploadArtifactRequest>> writer = stub_->UploadArtifact(&context, &response);
  v1::UploadArtifactRequest request;
  *request.mutable_artifact() = artifact;
  do {
    const absl::string_view chunk = bytes.substr(static_cast<size_t>(offset), kArtifactChunkBytes);
    request.set_offset(offset);
    request.set_data(chunk.data(), chunk.size());
    if (!writer->Write(request)) break;  // Finish says why
    offset += static_cast<int64_t>(chunk.size());
    metrics_->Add(telemetry::Metric::kTransferBytes, {"upload"}, static_cast<double>(chunk.size()));
    request.Clear();
  } while (offset < artifact.size_bytes());
  progress.sent_bytes = offset;
  writer->WritesDone();
  return FromGrpcStatus(writer->Finish());
}

absl::StatusOr<std::string> ArtifactClient::Download(const v1::ArtifactRef& artifact) {
  std::string bytes;
  const absl::Status status = DownloadInto(artifact, [&](absl::string_view chunk) {
    absl::StrAppend(&bytes, chunk);
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  return bytes;
}

absl::Status ArtifactClient::DownloadToFile(const v1::ArtifactRef& artifact, const std::string& path) {
  const std::string temporary = absl::StrCat(path, ".", ::getpid(), ".part");
  const int descriptor = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (descriptor < 0) return ErrnoStatus(errno, absl::StrCat("cannot create ", temporary));
  const auto remove = absl::MakeCleanup([&] { ::unlink(temporary.c_str()); });
  absl::Status status = DownloadInto(artifact, [&](absl::string_view chunk) { return WriteAll(descriptor, chunk, temporary); });
  if (status.ok() && ::fsync(descriptor) != 0) status = ErrnoStatus(errno, absl::StrCat("cannot sync ", temporary));
  if (::close(descriptor) != 0 && status.ok()) status = ErrnoStatus(errno, absl::StrCat("cannot write ", temporary));
  if (status.ok() && std::rename(temporary.c_str(), path.c_str()) != 0) status = ErrnoStatus(errno, absl::StrCat("cannot replace ", path));
  return status;
}

absl::Status ArtifactClient::DownloadInto(const v1::ArtifactRef& artifact, absl::FunctionRef<absl::Status(absl::string_view)> sink) {
  if (absl::Status status = CheckArtifactRef(artifact); !status.ok()) return status;
  Sha256 hash;
  int64_t received = 0;
  const auto attempt = [&]() -> absl::Status {
    grpc::ClientContext context;
    SetDeadline(context, TransferTimeout(artifact.size_bytes()));
    v1::DownloadArtifactRequest request;
    request.set_sha256(artifact.sha256());
    request.set_offset(received);
    const std::unique_ptr<grpc::ClientReaderInterface<v1::DownloadArtifactResponse>> reader = stub_->DownloadArtifact(&context, request);
    v1::DownloadArtifactResponse response;
    absl::Status status;
    while (status.ok() && reader->Read(&response)) {
      received += static_cast<int64_t>(response.data().size());
      hash.Add(response.data());
      metrics_->Add(telemetry::Metric::kTransferBytes, {"download"}, static_cast<double>(response.data().size()));
      status = received <= artifact.size_bytes() ? sink(response.data()) : absl::DataLossError("more bytes than the artifact has");
    }
    if (!status.ok()) context.TryCancel();
    const absl::Status finished = FromGrpcStatus(reader->Finish());
    return status.ok() ? finished : status;
  };
  if (absl::Status status = RetryTemporary(policy_, *clock_, attempt, cancelled_); !status.ok()) {
    return absl::Status(status.code(), absl::StrCat("downloading artifact ", artifact.sha256(), ": ", status.message()));
  }
  if (received != artifact.size_bytes()) {
    return absl::DataLossError(
        absl::StrCat("artifact ", artifact.sha256(), ": expected ", artifact.size_bytes(), " bytes, received ", received));
  }
  if (const std::string digest = hash.FinishHex(); digest != artifact.sha256()) {
    return absl::DataLossError(absl::StrCat("artifact ", artifact.sha256(), ": the bytes received have the digest ", digest));
  }
  return absl::OkStatus();
}

}  // namespace hanas::rpc
