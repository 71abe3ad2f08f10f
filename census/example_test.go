package census_test

import (
	"context"
	"fmt"
	"log"

	"onemap/census"
	"onemap/internal/db"
)

// A package of files comes in with its manifest; every run can be taken back.
func ExampleImporter_ImportManifest() {
	ctx := context.Background()
	d, err := db.Open(ctx, db.Options{DSN: "host=/run/onemap dbname=onemap user=onemap_app"})
	if err != nil {
		log.Fatal(err)
	}
	defer d.Close()
	im, err := census.NewImporter(d.Bulk, census.Options{})
	if err != nil {
		log.Fatal(err)
	}
	reports, err := im.ImportManifest(ctx, "census.yaml", census.FileOptions{Actor: "data engineer"})
	for _, r := range reports {
		fmt.Println(r.Dataset, r.Counts.Read, r.Counts.Accepted, r.Counts.Rejected, r.Counts.Quarantined)
	}
	if err != nil {
		log.Fatal(err)
	}
	if len(reports) > 0 {
		if _, err := im.Revert(ctx, reports[0].ID(), "data engineer"); err != nil {
			log.Fatal(err)
		}
	}
}
