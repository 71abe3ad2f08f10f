package auth

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"onemap/internal/db"
	"onemap/internal/feed"
	"onemap/internal/registry"
)

// Options say what the service stands on.
type Options struct {
	DB        *db.DB
	Catalogue interface{ Now() *registry.Snapshot }
	Logger    *slog.Logger
	Now       func() time.Time
}

// Service is who may do what, in memory and kept true.
type Service struct{ o Options }

var errPending = errors.New("auth: not written yet")

func Open(ctx context.Context, o Options) (*Service, error) { return &Service{o: o}, nil }

func (s *Service) Run(ctx context.Context) error             { <-ctx.Done(); return ctx.Err() }
func (s *Service) Changed(ctx context.Context, b feed.Batch) {}
func (s *Service) OnChange(fn func())                        {}
func (s *Service) Epoch() uint64                             { return 0 }
func (s *Service) Done() bool                                { return false }
func (s *Service) Security() Security                        { return Security{} }
func (s *Service) Me(id *Identity) Me                        { return Me{} }
func (s *Service) Anonymous() *Identity                      { return nil }
func (s *Service) DemoIdentity() *Identity                   { return nil }
func (s *Service) Recheck(id *Identity) bool                 { return false }
func (s *Service) Identify(ctx context.Context, c Credential) (*Identity, error) {
	return nil, errPending
}

// Security are the rules of signing in, from the setting "security".
type Security struct {
	PasswordMinLength int
	PasswordClasses   int
}

func (s *Service) SetupLink(ctx context.Context) (string, time.Time, error) {
	return "", time.Time{}, errPending
}
func (s *Service) Setup(ctx context.Context, by By, r SetupRequest) (SetupResult, error) {
	return SetupResult{}, errPending
}
func (s *Service) SignIn(ctx context.Context, by By, r SignInRequest) (Opened, error) {
	return Opened{}, errPending
}
func (s *Service) Activate(ctx context.Context, by By, activation, password string) (Opened, error) {
	return Opened{}, errPending
}
func (s *Service) Enrol(ctx context.Context, by By, code, device, name string) (Opened, error) {
	return Opened{}, errPending
}
func (s *Service) OpenWall(ctx context.Context, by By, token string) (Opened, error) {
	return Opened{}, errPending
}
func (s *Service) SignOut(ctx context.Context, by By) error { return errPending }
func (s *Service) Sessions(ctx context.Context, by By, account string) ([]SessionInfo, error) {
	return nil, errPending
}
func (s *Service) EndSession(ctx context.Context, by By, id string) error { return errPending }
func (s *Service) ChangePassword(ctx context.Context, by By, current, next string) error {
	return errPending
}
func (s *Service) BeginSecondFactor(ctx context.Context, by By) (secret, uri string, err error) {
	return "", "", errPending
}
func (s *Service) ConfirmSecondFactor(ctx context.Context, by By, code string) (recovery []string, err error) {
	return nil, errPending
}
func (s *Service) DropSecondFactor(ctx context.Context, by By, password, code string) error {
	return errPending
}
func (s *Service) Accounts(ctx context.Context, by By, q AccountQuery) (AccountPage, error) {
	return AccountPage{}, errPending
}
func (s *Service) Account(ctx context.Context, by By, id string) (AccountInfo, error) {
	return AccountInfo{}, errPending
}
func (s *Service) CreateAccount(ctx context.Context, by By, n NewAccount) (AccountInfo, Activation, error) {
	return AccountInfo{}, Activation{}, errPending
}

// AddUser is CreateAccount with a first grant, for the command line.
func (s *Service) AddUser(ctx context.Context, by By, n NewAccount, g NewGrant) (AccountInfo, Activation, error) {
	return AccountInfo{}, Activation{}, errPending
}
func (s *Service) UpdateAccount(ctx context.Context, by By, id string, version int64, p AccountPatch) (AccountInfo, error) {
	return AccountInfo{}, errPending
}
func (s *Service) NewActivation(ctx context.Context, by By, account string) (Activation, error) {
	return Activation{}, errPending
}
func (s *Service) ResetSecondFactor(ctx context.Context, by By, account string) error {
	return errPending
}
func (s *Service) Grants(ctx context.Context, by By, q GrantQuery) (GrantPage, error) {
	return GrantPage{}, errPending
}
func (s *Service) GrantRole(ctx context.Context, by By, n NewGrant) (GrantInfo, error) {
	return GrantInfo{}, errPending
}
func (s *Service) RevokeGrant(ctx context.Context, by By, id, reason string) error {
	return errPending
}
func (s *Service) Tokens(ctx context.Context, by By) ([]TokenInfo, error) { return nil, errPending }
func (s *Service) CreateToken(ctx context.Context, by By, n NewToken) (TokenInfo, string, error) {
	return TokenInfo{}, "", errPending
}
func (s *Service) RevokeToken(ctx context.Context, by By, id string) error { return errPending }
func (s *Service) CreateEnrolment(ctx context.Context, by By, account string) (code string, expires time.Time, err error) {
	return "", time.Time{}, errPending
}
func (s *Service) ImportPeople(ctx context.Context, by By, rows []NewPerson, dryRun bool) (ImportResult, error) {
	return ImportResult{}, errPending
}

func ReadPeople(xlsx []byte) ([]NewPerson, []RowIssue, error) { return nil, nil, errPending }
func PeopleTemplate() ([]byte, error)                         { return nil, errPending }
