// Whether the coordinator takes work, by gRPC's own client; without signing in.
package clients

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
)

func TestHealth(t *testing.T) {
	q := jigsaw(t)
	pool := x509.NewCertPool()
	require.True(t, pool.AppendCertsFromPEM([]byte(q.authority)))
	secure := grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{RootCAs: pool}))
	connection, err := grpc.NewClient(q.address, secure)
	require.NoError(t, err)
	defer func() { _ = connection.Close() }()
	client := grpc_health_v1.NewHealthClient(connection)
	for _, service := range []string{"", "arrow.flight.protocol.FlightService"} {
		answer, err := client.Check(context.Background(), &grpc_health_v1.HealthCheckRequest{Service: service})
		require.NoError(t, err)
		require.Equal(t, grpc_health_v1.HealthCheckResponse_SERVING, answer.Status)
	}
	_, err = client.Check(context.Background(), &grpc_health_v1.HealthCheckRequest{Service: "jigsaw"})
	require.Equal(t, codes.NotFound, status.Code(err))
}
