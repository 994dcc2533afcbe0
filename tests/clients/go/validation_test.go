// ADBC's own validation suite, pointed at a coordinator that changes nothing: the tables that the suite would create are there
// already, as reference tables. Run by the promise `go`, which says where the coordinator is.
package clients

import (
	"fmt"
	"os"
	"testing"

	"github.com/apache/arrow-adbc/go/adbc"
	driver "github.com/apache/arrow-adbc/go/adbc/driver/flightsql"
	"github.com/apache/arrow-adbc/go/adbc/validation"
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/stretchr/testify/require"
	"github.com/stretchr/testify/suite"
)

// quirks tell the suite what is special about this database.
type quirks struct {
	address, authority, token, version string
}

func jigsaw(t *testing.T) *quirks {
	authority, err := os.ReadFile(os.Getenv("JIGSAW_CA"))
	require.NoError(t, err)
	token, err := os.ReadFile(os.Getenv("JIGSAW_TOKEN"))
	require.NoError(t, err)
	return &quirks{os.Getenv("JIGSAW_ADDRESS"), string(authority), string(token), os.Getenv("JIGSAW_VERSION")}
}

func (q *quirks) SetupDriver(*testing.T) adbc.Driver          { return driver.NewDriver(q.Alloc()) }
func (q *quirks) TearDownDriver(*testing.T, adbc.Driver)      {}
func (q *quirks) BindParameter(int) string                    { return "?" }
func (q *quirks) SupportsBulkIngest(string) bool              { return false }
func (q *quirks) SupportsConcurrentStatements() bool          { return true }
func (q *quirks) SupportsCurrentCatalogSchema() bool          { return true }
func (q *quirks) SupportsGetSetOptions() bool                 { return true }
func (q *quirks) SupportsExecuteSchema() bool                 { return true }
func (q *quirks) SupportsPartitionedData() bool               { return true }
func (q *quirks) SupportsStatistics() bool                    { return false }
func (q *quirks) SupportsTransactions() bool                  { return true }
func (q *quirks) SupportsGetParameterSchema() bool            { return true }
func (q *quirks) SupportsDynamicParameterBinding() bool       { return true }
func (q *quirks) SupportsErrorIngestIncompatibleSchema() bool { return false }
func (q *quirks) Catalog() string                             { return "jigsaw" }
func (q *quirks) DBSchema() string                            { return "public" }
func (q *quirks) Alloc() memory.Allocator                     { return memory.DefaultAllocator }

func (q *quirks) DatabaseOptions() map[string]string {
	return map[string]string{
		adbc.OptionKeyURI:                "grpc+tls://" + q.address,
		driver.OptionSSLRootCerts:        q.authority,
		driver.OptionAuthorizationHeader: "Bearer " + q.token,
	}
}

func (q *quirks) GetMetadata(code adbc.InfoCode) interface{} {
	switch code {
	case adbc.InfoDriverName:
		return "ADBC Flight SQL Driver - Go"
	case adbc.InfoDriverVersion, adbc.InfoDriverArrowVersion:
		// A test is built without knowing the versions of its modules.
		return "(unknown or development build)"
	case adbc.InfoDriverADBCVersion:
		return adbc.AdbcVersion1_1_0
	case adbc.InfoVendorName:
		return "Jigsaw"
	case adbc.InfoVendorVersion:
		return q.version
	case adbc.InfoVendorArrowVersion:
		return os.Getenv("JIGSAW_ARROW_VERSION")
	}
	return nil
}

// CreateSampleTable finds the table that is there already; what is in it is what the suite would put there.
func (q *quirks) CreateSampleTable(name string, _ arrow.RecordBatch) error {
	if name == "sample_test" || name == "bulk_ingest" {
		return nil
	}
	return fmt.Errorf("there is no table %s beside the coordinator", name)
}

func (q *quirks) DropTable(adbc.Connection, string) error { return nil }

func (q *quirks) SampleTableSchemaMetadata(table string, dt arrow.DataType) arrow.Metadata {
	said := map[string]string{
		"CATALOG_NAME": "jigsaw", "DB_SCHEMA_NAME": "public", "TABLE_NAME": table,
		"IS_AUTO_INCREMENT": "0", "IS_READ_ONLY": "1", "IS_SEARCHABLE": "1",
	}
	if dt.ID() == arrow.INT64 {
		said["TYPE_NAME"], said["IS_CASE_SENSITIVE"] = "BIGINT", "0"
		said["PRECISION"], said["SCALE"] = "19", "0"
	} else {
		said["TYPE_NAME"], said["IS_CASE_SENSITIVE"] = "VARCHAR", "1"
	}
	metadata := map[string]string{}
	for name, value := range said {
		metadata["ARROW:FLIGHT:SQL:"+name] = value
	}
	return arrow.MetadataFrom(metadata)
}

func TestValidation(t *testing.T) {
	q := jigsaw(t)
	t.Run("Database", func(t *testing.T) { suite.Run(t, &validation.DatabaseTests{Quirks: q}) })
	t.Run("Connection", func(t *testing.T) { suite.Run(t, &validation.ConnectionTests{Quirks: q}) })
	t.Run("Statement", func(t *testing.T) { suite.Run(t, &validation.StatementTests{Quirks: q}) })
}
