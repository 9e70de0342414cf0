# A second copy of everything that was accepted, which none of our code writes: Pub/Sub itself puts
# the messages of `incoming` into objects, line by line as they are. `distrise import` takes them
# (decisions/2026-11-archive-of-incoming.md).

locals {
  # Google keeps what was deleted for this long; 7 is the least that is not nothing.
  archive_undelete_days = 7
  # Of Pub/Sub itself: to look whether the bucket is there, and to add objects. It can neither read
  # nor delete one.
  archive_roles = ["roles/storage.legacyBucketReader", "roles/storage.objectCreator"]
}

# bootstrap.sh has made it, since the deployer may make no buckets; all else about it is said here.
# Also there where nothing is archived: an empty bucket costs nothing, and one that was written to
# empties itself when the archive is turned off.
import {
  to = google_storage_bucket.archive
  id = "${var.project}-distrise-archive"
}

resource "google_storage_bucket" "archive" {
  name                        = "${var.project}-distrise-archive"
  location                    = var.region
  storage_class               = "STANDARD"
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  force_destroy               = false

  # Nothing is ever written over, so versions would only keep what has to go.
  versioning {
    enabled = false
  }

  soft_delete_policy {
    retention_duration_seconds = local.archive_undelete_days * 86400
  }

  lifecycle_rule {
    action {
      type = "Delete"
    }

    condition {
      age = var.archive_days
    }
  }

  lifecycle {
    # A bucket does not move: where bootstrap was given another region, it stays there.
    ignore_changes = [location]
  }

  depends_on = [google_project_service.needed]
}

resource "google_storage_bucket_iam_member" "archive" {
  for_each = toset(local.archive_roles)

  bucket = google_storage_bucket.archive.name
  role   = each.value
  member = local.pubsub_agent
}

resource "google_pubsub_subscription" "incoming_archive" {
  count = var.archive ? 1 : 0

  name  = "incoming-archive"
  topic = google_pubsub_topic.incoming.id

  # No dead letters: text has no shape that a message could fail, so what fails is the bucket, and
  # then all messages wait here until it is mended.
  message_retention_duration = local.week
  # No shorter than max_duration.
  ack_deadline_seconds = 600

  expiration_policy {
    ttl = ""
  }

  retry_policy {
    minimum_backoff = "10s"
    maximum_backoff = "600s"
  }

  cloud_storage_config {
    bucket                   = google_storage_bucket.archive.name
    filename_datetime_format = "YYYY-MM-DD/hh_mm_ssZ"
    filename_suffix          = ".jsonl"
    # An object each ten minutes, or sooner where much comes in.
    max_duration = "600s"
    max_bytes    = 268435456

    text_config {}
  }

  depends_on = [google_storage_bucket_iam_member.archive]
}
