// The metadata commands against the schemas that Arrow publishes as the reference, to the last flag, by Arrow's own Go client.
package clients

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/flight"
	"github.com/apache/arrow-go/v18/arrow/flight/flightsql"
	"github.com/apache/arrow-go/v18/arrow/flight/flightsql/schema_ref"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
)

// client connects as the quirks say.
func (q *quirks) client(t *testing.T) (*flightsql.Client, context.Context) {
	pool := x509.NewCertPool()
	require.True(t, pool.AppendCertsFromPEM([]byte(q.authority)))
	secure := grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{RootCAs: pool}))
	client, err := flightsql.NewClient(q.address, nil, nil, secure)
	require.NoError(t, err)
	t.Cleanup(func() { _ = client.Close() })
	ctx := metadata.AppendToOutgoingContext(context.Background(), "authorization", "Bearer "+q.token)
	return client, ctx
}

type announced func() (*flight.FlightInfo, error)
type described func() (*flight.SchemaResult, error)

func TestReferenceSchemas(t *testing.T) {
	c, ctx := jigsaw(t).client(t)
	table := flightsql.TableRef{Table: "property"}
	all := &flightsql.GetTablesOpts{IncludeSchema: true}
	for name, it := range map[string]struct {
		expected *arrow.Schema
		info     announced
		schema   described
	}{
		"GetCatalogs": {schema_ref.Catalogs,
			func() (*flight.FlightInfo, error) { return c.GetCatalogs(ctx) },
			func() (*flight.SchemaResult, error) { return c.GetCatalogsSchema(ctx) }},
		"GetDbSchemas": {schema_ref.DBSchemas,
			func() (*flight.FlightInfo, error) { return c.GetDBSchemas(ctx, &flightsql.GetDBSchemasOpts{}) },
			func() (*flight.SchemaResult, error) { return c.GetDBSchemasSchema(ctx) }},
		"GetTables": {schema_ref.Tables,
			func() (*flight.FlightInfo, error) { return c.GetTables(ctx, &flightsql.GetTablesOpts{}) },
			func() (*flight.SchemaResult, error) { return c.GetTablesSchema(ctx, &flightsql.GetTablesOpts{}) }},
		"GetTablesWithSchema": {schema_ref.TablesWithIncludedSchema,
			func() (*flight.FlightInfo, error) { return c.GetTables(ctx, all) },
			func() (*flight.SchemaResult, error) { return c.GetTablesSchema(ctx, all) }},
		"GetTableTypes": {schema_ref.TableTypes,
			func() (*flight.FlightInfo, error) { return c.GetTableTypes(ctx) },
			func() (*flight.SchemaResult, error) { return c.GetTableTypesSchema(ctx) }},
		"GetPrimaryKeys": {schema_ref.PrimaryKeys,
			func() (*flight.FlightInfo, error) { return c.GetPrimaryKeys(ctx, table) },
			func() (*flight.SchemaResult, error) { return c.GetPrimaryKeysSchema(ctx) }},
		"GetExportedKeys": {schema_ref.ExportedKeys,
			func() (*flight.FlightInfo, error) { return c.GetExportedKeys(ctx, table) },
			func() (*flight.SchemaResult, error) { return c.GetExportedKeysSchema(ctx) }},
		"GetImportedKeys": {schema_ref.ImportedKeys,
			func() (*flight.FlightInfo, error) { return c.GetImportedKeys(ctx, table) },
			func() (*flight.SchemaResult, error) { return c.GetImportedKeysSchema(ctx) }},
		"GetCrossReference": {schema_ref.CrossReference,
			func() (*flight.FlightInfo, error) { return c.GetCrossReference(ctx, table, table) },
			func() (*flight.SchemaResult, error) { return c.GetCrossReferenceSchema(ctx) }},
		"GetSqlInfo": {schema_ref.SqlInfo,
			func() (*flight.FlightInfo, error) { return c.GetSqlInfo(ctx, []flightsql.SqlInfo{}) },
			func() (*flight.SchemaResult, error) { return c.GetSqlInfoSchema(ctx) }},
		"GetXdbcTypeInfo": {schema_ref.XdbcTypeInfo,
			func() (*flight.FlightInfo, error) { return c.GetXdbcTypeInfo(ctx, nil) },
			func() (*flight.SchemaResult, error) { return c.GetXdbcTypeInfoSchema(ctx) }},
	} {
		t.Run(name, func(t *testing.T) {
			same := func(what string, found *arrow.Schema) {
				require.Truef(t, it.expected.Equal(found), "%s\nexpected: %s\nfound: %s", what, it.expected, found)
			}
			info, err := it.info()
			require.NoError(t, err)
			decoded, err := flight.DeserializeSchema(info.Schema, memory.DefaultAllocator)
			require.NoError(t, err)
			same("announced", decoded)
			result, err := it.schema()
			require.NoError(t, err)
			decoded, err = flight.DeserializeSchema(result.Schema, memory.DefaultAllocator)
			require.NoError(t, err)
			same("GetSchema", decoded)
			require.Len(t, info.Endpoint, 1)
			stream, err := c.DoGet(ctx, info.Endpoint[0].Ticket)
			require.NoError(t, err)
			defer stream.Release()
			same("sent", stream.Schema())
			for stream.Next() {
			}
			require.NoError(t, stream.Err())
		})
	}
}
