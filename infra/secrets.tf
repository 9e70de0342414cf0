# Keys of the probe and of fetch. Terraform makes them, but they are in no plan and in no state:
# `secret_data_wo` is only ever written. Two random UUIDs hold 244 bits of chance.

locals {
  keys = {
    probe = "The probe's own Nostr key"
    fetch = "The key that fetch logs in with at other relays (NIP-42)"
  }
}

resource "google_secret_manager_secret" "key" {
  for_each = local.keys

  secret_id = "${each.key}-key"
  annotations = {
    purpose = each.value
  }

  replication {
    auto {}
  }

  depends_on = [google_project_service.needed]
}

resource "google_secret_manager_secret_version" "key" {
  for_each = local.keys

  secret                 = google_secret_manager_secret.key[each.key].id
  secret_data_wo         = sha256("${uuid()}${uuid()}")
  secret_data_wo_version = var.key_version

  # A revision that still runs may read the one before.
  deletion_policy = "ABANDON"
}

resource "google_secret_manager_secret_iam_member" "key" {
  for_each = local.keys

  secret_id = google_secret_manager_secret.key[each.key].id
  role      = "roles/secretmanager.secretAccessor"
  member    = data.google_service_account.service[each.key].member
}
