# Cloud SQL has a private address only; services reach it by Direct VPC egress.

resource "google_compute_network" "main" {
  name                    = "distrise"
  auto_create_subnetworks = false

  depends_on = [google_project_service.needed]
}

resource "google_compute_subnetwork" "services" {
  name    = "services"
  network = google_compute_network.main.id
  region  = var.region

  # An instance takes about two addresses, and those of a revision that ends stay taken for a while.
  ip_cidr_range            = "10.8.0.0/22"
  private_ip_google_access = true
}

resource "google_compute_global_address" "database" {
  name          = "database"
  purpose       = "VPC_PEERING"
  address_type  = "INTERNAL"
  prefix_length = 20
  network       = google_compute_network.main.id
}

resource "google_service_networking_connection" "database" {
  network                 = google_compute_network.main.id
  service                 = "servicenetworking.googleapis.com"
  reserved_peering_ranges = [google_compute_global_address.database.name]

  # Google refuses to take it down while its side still cleans up; it costs nothing.
  deletion_policy = "ABANDON"
}
