# One account a service, each with what it does and no more. `push` and `scheduler` only call.

locals {
  accounts = {
    relay     = "The relay: publishes, reads the database, follows stored"
    store     = "The function store: writes the database, publishes outcomes"
    fetch     = "The function fetch and the worker follow: bring events from other relays"
    upkeep    = "The function upkeep and the migration: own the tables"
    probe     = "The function probe: a client of the relay"
    push      = "Pub/Sub's pushes to store and fetch"
    release   = "The job health of a release: reads metrics"
    scheduler = "Cloud Scheduler's calls of fetch, upkeep and probe"
  }

  # Roles on the whole project, where a narrower place does not exist.
  project_roles = {
    relay = [
      "roles/cloudsql.client",
      "roles/cloudsql.instanceUser",
      "roles/monitoring.metricWriter",
    ]
    store = [
      "roles/cloudsql.client",
      "roles/cloudsql.instanceUser",
      "roles/monitoring.metricWriter",
    ]
    fetch = [
      "roles/cloudsql.client",
      "roles/cloudsql.instanceUser",
      "roles/monitoring.metricWriter",
    ]
    upkeep = [
      "roles/cloudsql.client",
      "roles/cloudsql.instanceUser",
      "roles/monitoring.metricWriter",
    ]
    probe = [
      "roles/monitoring.metricWriter",
    ]
    release = [
      "roles/monitoring.viewer",
    ]
  }

  # Roles on one topic.
  topic_roles = {
    relay_incoming = { account = "relay", topic = google_pubsub_topic.incoming.name, role = "roles/pubsub.publisher" }
    # Ephemeral events go there past the database.
    relay_stored = { account = "relay", topic = google_pubsub_topic.stored.name, role = "roles/pubsub.publisher" }
    # To attach an instance's subscription.
    relay_follow    = { account = "relay", topic = google_pubsub_topic.stored.name, role = "roles/pubsub.subscriber" }
    store_stored    = { account = "store", topic = google_pubsub_topic.stored.name, role = "roles/pubsub.publisher" }
    store_dead      = { account = "store", topic = google_pubsub_topic.incoming_dead.name, role = "roles/pubsub.publisher" }
    fetch_incoming  = { account = "fetch", topic = google_pubsub_topic.incoming.name, role = "roles/pubsub.publisher" }
    fetch_work      = { account = "fetch", topic = google_pubsub_topic.fetch.name, role = "roles/pubsub.publisher" }
    upkeep_incoming = { account = "upkeep", topic = google_pubsub_topic.incoming.name, role = "roles/pubsub.publisher" }
    # To list the subscriptions of instances.
    upkeep_stored = { account = "upkeep", topic = google_pubsub_topic.stored.name, role = "roles/pubsub.viewer" }
  }
}

resource "google_service_account" "service" {
  for_each = local.accounts

  account_id   = "distrise-${each.key}"
  display_name = "Distrise: ${each.key}"
  description  = each.value

  depends_on = [google_project_service.needed]
}

locals {
  # Cloud SQL names an account without the end that all have.
  database_users = {
    for name, account in google_service_account.service :
    name => trimsuffix(account.email, ".gserviceaccount.com")
  }
}

resource "google_project_iam_member" "service" {
  for_each = merge([
    for account, roles in local.project_roles : {
      for role in roles : "${account} ${role}" => { account = account, role = role }
    }
  ]...)

  project = var.project
  role    = each.value.role
  member  = google_service_account.service[each.value.account].member
}

resource "google_pubsub_topic_iam_member" "service" {
  for_each = local.topic_roles

  topic  = each.value.topic
  role   = each.value.role
  member = google_service_account.service[each.value.account].member
}

resource "google_pubsub_subscription_iam_member" "replay" {
  subscription = google_pubsub_subscription.incoming_dead_replay.name
  role         = "roles/pubsub.subscriber"
  member       = google_service_account.service["upkeep"].member
}

# A relay instance makes a subscription of its own to `stored`, reads it and deletes it. It does not
# exist before, so the right is the project's; roles/pubsub.editor would give all topics with it.
resource "google_project_iam_custom_role" "fast_lane" {
  role_id     = "distriseFastLane"
  title       = "Distrise: fast lane"
  description = "Make, read and delete the subscription of one relay instance."
  permissions = [
    "pubsub.subscriptions.create",
    "pubsub.subscriptions.consume",
    "pubsub.subscriptions.delete",
    "pubsub.subscriptions.get",
  ]

  depends_on = [google_project_service.needed]
}

resource "google_project_iam_member" "fast_lane" {
  project = var.project
  role    = google_project_iam_custom_role.fast_lane.id
  member  = google_service_account.service["relay"].member
}

# Upkeep deletes the subscriptions of instances that died.
resource "google_project_iam_custom_role" "sweep" {
  role_id     = "distriseSweep"
  title       = "Distrise: sweep"
  description = "Delete subscriptions that dead relay instances left behind."
  permissions = ["pubsub.subscriptions.delete"]

  depends_on = [google_project_service.needed]
}

resource "google_project_iam_member" "sweep" {
  project = var.project
  role    = google_project_iam_custom_role.sweep.id
  member  = google_service_account.service["upkeep"].member
}

resource "google_cloud_run_v2_service_iam_member" "push" {
  for_each = toset(["store", "fetch"])

  name     = google_cloud_run_v2_service.function[each.value].name
  location = var.region
  role     = "roles/run.invoker"
  member   = google_service_account.service["push"].member
}

resource "google_cloud_run_v2_service_iam_member" "scheduler" {
  for_each = toset(["fetch", "upkeep", "probe"])

  name     = google_cloud_run_v2_service.function[each.value].name
  location = var.region
  role     = "roles/run.invoker"
  member   = google_service_account.service["scheduler"].member
}
